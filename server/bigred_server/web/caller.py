"""Who calls the HTTP API, and what a role may do. Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bigred_server.settings import TokenSettings

_SCHEME = "bearer "


class Role(StrEnum):
    """What a token's owner may do: each role may do all that those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def may(self, needed: "Role") -> bool:
        """Say whether this role may do what another one is needed for."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True)
class Caller:
    """Whoever a token belongs to."""

    name: str
    role: Role


def caller_of(authorization: str, tokens: Mapping[str, TokenSettings]) -> Caller | None:
    """Say whose token an Authorization header bears; None when it is nobody's."""
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    given = hashlib.sha256(authorization[len(_SCHEME) :].strip().encode()).hexdigest()
    found = None
    # All of them, each in constant time: how long it takes tells nothing of any of them.
    for name, token in tokens.items():
        if hmac.compare_digest(given, token.sha256):
            found = Caller(name, Role(token.role))
    return found
