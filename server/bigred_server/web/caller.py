"""The callers of the HTTP API: who sent a request, by its token. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from bigred_server.model import api_token
from bigred_server.model.api_token import ApiToken, Role

_SCHEME = "bearer "
_ANOTHER = "`bigred token create` creates another"

NO_TOKEN = "a token is required: Authorization: Bearer TOKEN; `bigred token create` creates one"  # noqa: S105


@dataclass(frozen=True)
class Caller:
    """The owner of a token."""

    name: str
    role: Role


@dataclass(frozen=True)
class Stranger:
    """Somebody without a valid token; `reason`: what is wrong with theirs, for them."""

    reason: str = NO_TOKEN


def digest_of(authorization: str) -> str | None:
    """Return the digest of the token in an Authorization header; None if it has none."""
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    return api_token.digest(authorization[len(_SCHEME) :].strip())


def caller_of(token: ApiToken | None, now: float) -> Caller | Stranger:
    """Return who has this token; `now` is in Unix time.

    Only the owner of the secret learns why it is no longer valid.
    """
    if token is None:
        return Stranger()
    if token.revoked_at is not None:
        return Stranger(f"this token of {token.name} was revoked; {_ANOTHER}")
    if token.expires_at is not None and token.is_expired(now):
        day = datetime.fromtimestamp(token.expires_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return Stranger(f"this token of {token.name} expired at {day}; {_ANOTHER}")
    return Caller(token.name, token.role)
