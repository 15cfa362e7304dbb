"""How often an overwritten message is published again, over every pattern of overwriting."""

import itertools
import random
from collections.abc import Sequence

import pytest

from bigred_broker.repetitions import ECHO_S, GAP_S, IN_A_ROW, REFILL_S, Repetitions

CLOCK_S = 1_000.0


def repeated(overwritten: Sequence[float]) -> list[float]:
    """Return when a message is published again that is overwritten at these times, in order."""
    repetitions, times = Repetitions(), list[float]()
    pending: float | None = None
    for at_s in overwritten:
        if pending is not None and pending <= at_s:
            repetitions = repetitions.repeated(pending)
            times.append(pending)
            pending = None
        if pending is None:
            pending = repetitions.due_s(at_s)
    return [*times, *([] if pending is None else [pending])]


def most(length_s: float) -> float:
    """Return how many repetitions a span of time may have at most."""
    return min(IN_A_ROW + 1 + length_s / REFILL_S, 1 + length_s / GAP_S)


def test_a_message_overwritten_once_comes_again_within_a_second() -> None:
    [again] = repeated([CLOCK_S])
    assert again == CLOCK_S + ECHO_S
    assert again - CLOCK_S < 1.0


@pytest.mark.parametrize("rate", [0.5, 1, 2, 50, 1000])
@pytest.mark.parametrize("length_s", [0.1, 1, 5, 9, 30, 300])
def test_the_truth_stands_after_the_last_forgery_and_soon_after_a_short_flood(
    rate: float, length_s: float
) -> None:
    forged = [CLOCK_S + number / rate for number in range(max(1, int(rate * length_s)))]
    times = repeated(forged)
    assert times[-1] >= forged[-1]
    late_s = times[-1] - forged[-1]
    assert late_s <= (GAP_S + ECHO_S if len(times) <= IN_A_ROW else REFILL_S)


def test_a_flood_is_answered_once_a_second_ten_times_and_then_once_a_minute() -> None:
    times = repeated([CLOCK_S + number / 50 for number in range(50 * 600)])
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[: IN_A_ROW - 1] == pytest.approx([GAP_S] * (IN_A_ROW - 1))
    assert gaps[IN_A_ROW:] == pytest.approx([REFILL_S] * len(gaps[IN_A_ROW:]))
    assert len(times) < IN_A_ROW + 1 + 600 / REFILL_S


@pytest.mark.parametrize("seed", range(200))
def test_no_span_of_time_has_more_repetitions_than_the_rule_allows(seed: int) -> None:
    dice = random.Random(seed)
    at_s, forged = CLOCK_S, list[float]()
    for _ in range(dice.randint(1, 400)):
        at_s += dice.choice((0.0, 0.001, 0.3, 1.0, 7.0, 59.0, 61.0, 700.0)) * dice.random()
        forged.append(at_s)
    times = repeated(forged)
    assert times == sorted(times)
    assert times[-1] >= forged[-1]
    for first, last in itertools.combinations(range(len(times)), 2):
        span_s = times[last] - times[first]
        assert last - first + 1 <= most(span_s) + 1e-6
        assert span_s >= (last - first) * GAP_S - 1e-6


def test_two_owners_of_one_topic_do_not_answer_each_other_for_ever() -> None:
    """Each takes what the other publishes for a forgery, and answers it."""
    owners, at_s, sent = [Repetitions(), Repetitions()], CLOCK_S, list[float]()
    while at_s < CLOCK_S + 3600:
        mine = len(sent) % 2
        at_s = owners[mine].due_s(at_s)
        owners[mine] = owners[mine].repeated(at_s)
        sent.append(at_s)
    assert len(sent) <= 2 * (IN_A_ROW + 1 + 3600 / REFILL_S)
    assert len([one for one in sent if one > CLOCK_S + 60]) <= 2 * 3600 / REFILL_S


def test_after_a_quiet_time_a_message_is_defended_as_at_first() -> None:
    repetitions = Repetitions()
    for number in range(2 * IN_A_ROW):
        repetitions = repetitions.repeated(CLOCK_S + number)
    later_s = CLOCK_S + 2 * IN_A_ROW + IN_A_ROW * REFILL_S
    for number in range(IN_A_ROW):
        at_s = later_s + 2 * number
        assert repetitions.due_s(at_s) == at_s + ECHO_S
        repetitions = repetitions.repeated(at_s + ECHO_S)
