"""A flood of malformed messages is counted completely, but rarely logged."""

from hypothesis import given
from hypothesis import strategies as st

from bigred_broker.faults import SILENCE_S, Faults


def test_the_first_fault_of_a_sender_is_logged_and_the_next_minute_is_silent() -> None:
    faults = Faults()
    assert faults.count("red", 0.0)
    assert not faults.count("red", 0.0)
    assert not faults.count("red", SILENCE_S - 0.001)
    assert faults.count("red", SILENCE_S)
    assert not faults.count("red", SILENCE_S + 1)
    assert faults.total == 5


def test_one_sender_does_not_silence_another() -> None:
    faults = Faults()
    assert faults.count("red", 0.0)
    assert faults.count("blue", 0.0)
    assert not faults.count("red", 1.0)


def test_a_flood_of_senders_does_not_fill_the_memory() -> None:
    faults = Faults()
    for number in range(5000):
        assert faults.count(f"box-{number}", number / 1000)
    assert faults.total == 5000
    assert len(faults._last_logged) == 1000
    assert not faults.count("box-4999", 5.0)  # the newest are remembered
    assert faults.count("box-0", 5.0)  # the oldest are not


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100)), max_size=60))
def test_no_sender_is_logged_twice_within_a_minute(steps: list[tuple[str, float]]) -> None:
    faults, now, found = Faults(), 0.0, dict[str, float]()
    for sender, pause in steps:
        now += pause
        if faults.count(sender, now):
            assert sender not in found or now - found[sender] >= SILENCE_S
            found[sender] = now
    assert faults.total == len(steps)
