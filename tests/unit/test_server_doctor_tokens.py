"""The doctor reports tokens of the HTTP API before somebody is locked out."""

from dataclasses import replace

import pytest

from bigred_server.doctor import tokens
from bigred_server.doctor.finding import Severity
from bigred_server.model.api_token import ApiToken, Role

DAY_S = 86_400.0
NOW = 100 * DAY_S
USED = ApiToken("0123abcd", "ci", Role.OPERATOR, 0.0, "ada", used_at=NOW - DAY_S)


def expiring(in_days: float) -> ApiToken:
    return replace(USED, expires_at=NOW + in_days * DAY_S)


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (13.5, "is in use and expires in 13 days"),
        (0.5, "expires soon"),
        (-1.0, "has expired, and was in use until then"),
    ],
)
def test_a_token_in_use_whose_time_is_nearly_over_is_reported(days: float, text: str) -> None:
    [finding] = tokens.check([expiring(days)], NOW)
    assert finding.level is Severity.WARN
    assert finding.text == f"the token 0123abcd of ci (operator) {text}"
    assert finding.fix.startswith("bigred token create ci --role operator")


@pytest.mark.parametrize(
    "token",
    [
        USED,
        expiring(15),
        expiring(-15),
        replace(expiring(1), used_at=None),
        replace(expiring(1), used_at=NOW - 31 * DAY_S),
        replace(expiring(1), revoked_at=NOW),
    ],
    ids=["never", "later", "long ago", "unused", "no longer used", "revoked"],
)
def test_others_are_not(token: ApiToken) -> None:
    assert tokens.check([token], NOW) == []


def test_an_owner_with_a_newer_token_needs_none() -> None:
    assert tokens.check([expiring(1), replace(expiring(300), id="2", used_at=None)], NOW) == []
    assert tokens.check([expiring(1), replace(expiring(2), id="2", used_at=None)], NOW) != []
