"""When a row of HAProxy's table is worth a look at the whole pool."""

from dataclasses import replace

import pytest

from bigred_server.haproxy.hint import has_changed
from bigred_server.rollout.core.observation import Admin, ServerLook

IDLE = {"scur": "0", "qcur": "0"}
# Rise 1 and fall 2: full health is 2.
CHECKED = {"check_status": "L7OK", "check_rise": "1", "check_fall": "2"}
PASSED = {**IDLE, **CHECKED, "status": "DRAIN", "check_health": "2"}
OLD = {**IDLE, **CHECKED, "status": "DRAIN", "check_health": "1"}
DRAIN = ServerLook(Admin.DRAIN, fresh=False)
MAINT = ServerLook(Admin.MAINT)
READY = ServerLook(Admin.READY)


@pytest.mark.parametrize(
    ("look", "row"),
    [
        (replace(MAINT, in_flight=3), {**IDLE, "status": "MAINT"}),
        (replace(DRAIN, in_flight=3, fresh=True), PASSED),
        (DRAIN, PASSED),
        (READY, {**IDLE, "status": "UP"}),
        (READY, {**IDLE, "status": "UP 1/2"}),
    ],
)
def test_what_a_rollout_waits_for_is_noticed(look: ServerLook, row: dict[str, str]) -> None:
    assert has_changed(row, look)


@pytest.mark.parametrize(
    ("look", "row"),
    [
        (replace(MAINT, in_flight=3), {"scur": "1", "qcur": "0", "status": "MAINT"}),
        (replace(MAINT, in_flight=3), {"scur": "0", "qcur": "1", "status": "MAINT"}),
        (MAINT, {**IDLE, "status": "MAINT"}),
        (DRAIN, OLD),
        (replace(DRAIN, fresh=True), PASSED),
        (replace(DRAIN, fresh=None), {**IDLE, "status": "no check"}),
        (READY, {**IDLE, "status": "DOWN 1/2"}),
        (replace(READY, up=True), {**IDLE, "status": "UP"}),
    ],
)
def test_what_the_look_has_shown_already_is_no_news(look: ServerLook, row: dict[str, str]) -> None:
    assert not has_changed(row, look)


@pytest.mark.parametrize("look", [READY, DRAIN])
def test_a_row_that_is_missing_is_no_news(look: ServerLook) -> None:
    assert not has_changed({}, look)
