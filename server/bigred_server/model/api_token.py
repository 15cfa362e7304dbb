"""A token of the HTTP API: who may do what with it, and until when. Pure."""

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum

_PREFIX = "bigred_"
_ID_BYTES = 4


class Role(StrEnum):
    """The permissions of a token's owner; each role includes those before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def may(self, needed: "Role") -> bool:
        """Return whether this role has the permissions of the `needed` one."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True)
class ApiToken:
    """A token, without its secret. Times are in seconds of Unix time.

    `id`: names the token for people, and opens nothing. `name`: the person or program that has it.
    `expires_at`: None if it never does. `used_at`: its last use, to the minute.
    """

    id: str
    name: str
    role: Role
    created_at: float
    created_by: str
    expires_at: float | None = None
    used_at: float | None = None
    revoked_at: float | None = None
    revoked_by: str = ""

    def is_expired(self, now: float) -> bool:
        """Return whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now

    def is_valid(self, now: float) -> bool:
        """Return whether it opens the API now."""
        return self.revoked_at is None and not self.is_expired(now)


def new_secret() -> str:
    """Return the secret of a new token: what its owner sends."""
    return f"{_PREFIX}{secrets.token_urlsafe(32)}"


def new_token_id() -> str:
    """Return the id of a new token."""
    return secrets.token_hex(_ID_BYTES)


def digest(secret: str) -> str:
    """Return the SHA-256 by which the journal knows a token; the secret itself is stored nowhere.

    The secret has 256 random bits, so neither salt nor a slow hash is needed.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
