"""Check the tokens of the HTTP API: a program must not learn from a 401 that its time is over."""

from collections.abc import Sequence

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.model.api_token import ApiToken

_CODE = "token"
_WHERE = "api"
_SOON_S = 14 * 86_400.0
_RECENTLY_S = 30 * 86_400.0
_DAY_S = 86_400.0


def check(tokens: Sequence[ApiToken], now: float) -> list[Finding]:
    """Report the tokens in use that expire within two weeks, or have; `now` is in Unix time.

    An owner who already has another token that is valid for longer is left alone.
    """
    lasting = {token.name for token in tokens if token.is_valid(now + _SOON_S)}
    return [
        Finding(_CODE, Severity.WARN, _WHERE, _text(token, now), _fix(token))
        for token in tokens
        if token.is_valid(now - _SOON_S)
        and not token.is_valid(now + _SOON_S)
        and token.name not in lasting
        and token.used_at is not None
        and now - token.used_at < _RECENTLY_S
    ]


def _text(token: ApiToken, now: float) -> str:
    left_s = (token.expires_at or now) - now
    what = f"the token {token.id} of {token.name} ({token.role})"
    if left_s <= 0:
        return f"{what} has expired, and was in use until then"
    days = int(left_s // _DAY_S)
    return f"{what} is in use and expires in {days} days" if days > 1 else f"{what} expires soon"


def _fix(token: ApiToken) -> str:
    return f"bigred token create {token.name} --role {token.role}, and give it to its owner"
