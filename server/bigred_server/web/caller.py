"""The callers of the HTTP API, and the permissions of their roles. Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bigred_server.settings import TokenSettings

_SCHEME = "bearer "


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
class Caller:
    """The owner of a token."""

    name: str
    role: Role


def caller_of(authorization: str, tokens: Mapping[str, TokenSettings]) -> Caller | None:
    """Return the owner of the token in an Authorization header; None if no token matches."""
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    given = hashlib.sha256(authorization[len(_SCHEME) :].strip().encode()).hexdigest()
    found = None
    # Compare all tokens, each in constant time, so that the duration reveals nothing.
    for name, token in tokens.items():
        if hmac.compare_digest(given, token.sha256):
            found = Caller(name, Role(token.role))
    return found
