"""Late is refused, wherever the time went; what is in time never is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigred_agent.server_clocks import WINDOW_S, ServerClocks
from bigred_broker.messages import ANSWER_DEADLINE_S, BoxEvent, EventType, Refusal, ServerClock
from bigred_server.requests import sentences
from bigred_server.requests.freshness import ANSWERING_S, refusal

RUN = "run-1"
TIMELY = [EventType.LID_OPEN, EventType.PRESS, EventType.HOLD]
seconds = st.floats(0.0, 100.0)


def event(kind: EventType = EventType.PRESS, **more: object) -> BoxEvent:
    given = {"event_type": kind, "id": "e-1", "seq": 1, "boot": "b-1", **more}
    return BoxEvent.model_validate(given)


def happened(at_s: float, run: str = RUN) -> tuple[ServerClock, ...]:
    return (ServerClock(run=run, at_ms=at_s * 1000),)


@pytest.mark.parametrize("kind", TIMELY)
@pytest.mark.parametrize(
    ("age_s", "is_late"),
    [(-15.0, True), (-0.4, False), (0.0, False), (1.89, False), (1.91, True), (15.0, True)],
)
def test_what_is_older_than_people_wait_is_late(
    kind: EventType, age_s: float, is_late: bool
) -> None:
    late = refusal(event(kind, clocks=happened(100.0)), RUN, 100.0 + age_s)
    assert (late is not None) is is_late
    assert late is None or (late.code, late.reason) == (Refusal.STALE, sentences.STALE)


def test_a_box_that_waits_longer_may_be_answered_later() -> None:
    slow = event(clocks=happened(100.0), answer_within_ms=5000)
    assert refusal(slow, RUN, 104.8) is None
    assert refusal(slow, RUN, 105.0) is not None


@pytest.mark.parametrize(
    ("arming", "clocks", "code", "reason"),
    [
        ("a" * 32, (), Refusal.STALE, sentences.NO_CLOCK),
        (None, (), Refusal.STALE, sentences.NO_CLOCK),
        (None, happened(100.0, "run-2"), Refusal.STALE, sentences.NEW_SERVER),
        (
            "a" * 32,
            happened(100.0, "run-2"),
            Refusal.EXPIRED,
            sentences.PRESS_REFUSALS[Refusal.EXPIRED],
        ),
    ],
)
def test_a_press_that_does_not_prove_its_time_does_nothing(
    arming: str | None, clocks: tuple[ServerClock, ...], code: Refusal, reason: str
) -> None:
    late = refusal(event(arming=arming, clocks=clocks), RUN, 100.0)
    assert late is not None
    assert (late.code, late.reason) == (code, reason)


@pytest.mark.parametrize(("age_ms", "is_late"), [(0.0, False), (1800.0, False), (2000.0, True)])
def test_a_lid_of_a_box_that_has_heard_no_server_yet_goes_by_the_boxs_own_clock(
    age_ms: float, is_late: bool
) -> None:
    late = refusal(event(EventType.LID_OPEN, age_ms=age_ms), RUN, 100.0)
    assert (late is not None) is is_late


@given(
    ahead_s=seconds,
    delays_s=st.lists(st.floats(0.0, 5.0), min_size=1, max_size=6),
    thinks_s=st.floats(0.0, WINDOW_S / 2),
    underway_s=st.floats(0.0, 10.0),
)
def test_no_press_is_late_and_taken_for_fresh_however_slow_each_message_was(
    ahead_s: float, delays_s: list[float], thinks_s: float, underway_s: float
) -> None:
    # The server's clock is ahead of the box's. Each beacon took its time, and so does the press.
    clocks, box_s = ServerClocks(), 1000.0
    for delay_s in delays_s:
        box_s += 1.0
        clocks = clocks.hear(ServerClock(run=RUN, at_ms=(box_s + ahead_s - delay_s) * 1000), box_s)
    box_s += thinks_s
    press = event(clocks=clocks.at(box_s))
    late = refusal(press, RUN, box_s + ahead_s + underway_s)
    if underway_s > ANSWER_DEADLINE_S:
        assert late is not None
    if underway_s + min(delays_s) < ANSWER_DEADLINE_S - ANSWERING_S - 0.001:
        assert late is None


def test_what_a_slow_message_said_is_forgotten_when_a_quick_one_has_come() -> None:
    clocks = ServerClocks()
    for delay_s in (1.5, 0.2, 0.9):
        clocks = clocks.hear(ServerClock(run=RUN, at_ms=(100.0 - delay_s) * 1000), 50.0)
    assert clocks.at(50.0) == happened(99.8)


def test_a_comparison_that_is_old_no_longer_counts() -> None:
    clocks = ServerClocks().hear(ServerClock(run=RUN, at_ms=100_000), 50.0)
    # Then the server's machine stood still for ten seconds, and its clock with it.
    later_s = 50.0 + WINDOW_S + 1.0
    clocks = clocks.hear(ServerClock(run=RUN, at_ms=(later_s + 40.0) * 1000), later_s)
    assert clocks.at(later_s) == happened(later_s + 40.0)


def test_a_box_knows_the_clocks_of_the_last_four_servers() -> None:
    clocks = ServerClocks()
    for number in range(9):
        clocks = clocks.hear(ServerClock(run=f"run-{number}", at_ms=0), float(number))
    assert {clock.run for clock in clocks.at(9.0)} == {"run-5", "run-6", "run-7", "run-8"}


def test_a_flood_of_beacons_takes_no_memory() -> None:
    clocks = ServerClocks()
    for number in range(1000):
        # Each seems farther from the truth, so that none makes an earlier one superfluous.
        clocks = clocks.hear(ServerClock(run=RUN, at_ms=1e6 - number), 50.0)
    assert len(clocks._heard[RUN]) <= 8
    assert clocks.at(50.0) == happened(1000.0)
