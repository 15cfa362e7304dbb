"""Nothing late takes effect: a press meets a stall of a process or a line, with real neighbours.

`./bigred bench stalls` draws hundreds of stalls; these are one of each kind that did harm.
"""

from collections.abc import Iterator

import pytest
from tests.support.stalls import Hop, Stall, StallSite, When, stall_site

LONG_S = 3.0

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StallSite]:
    with stall_site(tmp_path_factory.mktemp("late")) as running:
        yield running


@pytest.mark.parametrize("hop", list(Hop))
def test_a_press_whose_way_stood_still_fires_nothing_or_was_in_time(
    site: StallSite, hop: Hop
) -> None:
    outcome = site.press(Stall(hop, When.PRESS, LONG_S, offset_s=0.1))
    assert outcome.armed
    assert not outcome.is_late_and_fired, outcome
    # The server can't know that its answer was lost on the way.
    if hop not in (Hop.SERVER_TO_BROKER, Hop.BROKER_TO_BOX):
        assert outcome.fired_s is None, outcome
    assert "Firing missiles!" not in outcome.said or hop is Hop.SERVER_TO_BROKER


def test_a_press_that_waits_a_second_fires(site: StallSite) -> None:
    outcome = site.press(Stall(Hop.SERVER, When.PRESS, 1.0, offset_s=0.1))
    assert outcome.fired_s is not None, outcome
    assert outcome.refused_s is None


def test_a_lid_that_waited_too_long_arms_nothing(site: StallSite) -> None:
    outcome = site.press(Stall(Hop.SERVER, When.LID, LONG_S, offset_s=0.0))
    assert (outcome.armed, outcome.fired_s) == (False, None)
    assert "Nobody answered." in outcome.said
