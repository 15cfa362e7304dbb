"""Levels become events: sequences of frames, one every 15 ms."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigred_agent.buttons.edges import Edges, Timing, advance, lost
from bigred_agent.buttons.frames import decode
from bigred_agent.buttons.reading import Reading
from bigred_agent.testing.fake_usb import frame
from bigred_broker.messages import EventType, Lid

POLL_S = 0.015
TIMING = Timing()
LASTING = 6  # frames: longer than the refractory time


def events(frames: Sequence[int], timing: Timing = TIMING) -> list[str]:
    """Return the events of a sequence of frames, without the first one, the button found."""
    return [kind for _, kind in timed_events(frames, timing)][1:]


def timed_events(frames: Sequence[int], timing: Timing = TIMING) -> list[tuple[int, str]]:
    edges = Edges()
    result = []
    for at, first in enumerate(frames):
        reading = decode(frame(first))
        if reading is not None:
            edges, kinds = advance(edges, reading, at * POLL_S, timing)
            result += [(at, kind.value) for kind in kinds]
    return result


def standing(*levels: int, frames: int = LASTING) -> list[int]:
    return [level for level in levels for _ in range(frames)]


def test_the_reference_run_gives_every_event_once() -> None:
    run = standing(0x15, 0x17, 0x16, 0x17, 0x15)
    assert events(run) == ["lid_open", "press", "release", "lid_close"]


def test_the_first_frame_after_connecting_only_reports_the_button_as_found() -> None:
    assert timed_events([0x15]) == [(0, "button_found")]


def test_a_change_counts_at_its_first_frame() -> None:
    assert (LASTING, "lid_open") in timed_events(standing(0x15, 0x17))


@pytest.mark.parametrize(
    ("name", "frames", "expected"),
    [
        (
            "a bouncing lid opens once",
            [*standing(0x15), 0x17, 0x15, 0x17, 0x15, *standing(0x17)],
            ["lid_open"],
        ),
        (
            "a bouncing button presses once",
            [*standing(0x15, 0x17), 0x16, 0x17, 0x16, 0x17, *standing(0x16)],
            ["lid_open", "press"],
        ),
        (
            "a tap shorter than the refractory time is a press and a release",
            [*standing(0x15, 0x17), 0x16, *standing(0x17)],
            ["lid_open", "press", "release"],
        ),
        (
            "a lid slammed on the pressed button releases it and closes",
            standing(0x15, 0x17, 0x16, 0x15),
            ["lid_open", "press", "release", "lid_close"],
        ),
        (
            "a lid slammed on a button that stays down releases it all the same",
            standing(0x15, 0x17, 0x16, 0x14, 0x15),
            ["lid_open", "press", "release", "lid_close"],
        ),
        (
            "a button pressed below the closed lid is nothing",
            standing(0x15, 0x14, 0x15),
            [],
        ),
        (
            "a button still down when the lid opens fires nothing until it was let go",
            standing(0x15, 0x14, 0x16, 0x17, 0x16),
            ["lid_open", "press"],
        ),
        (
            "lid and button that change in the same frame are no press",
            standing(0x15, 0x16),
            ["lid_open"],
        ),
        (
            "a lid open at the start arms nothing and lets no press through",
            standing(0x17, 0x16, 0x17),
            [],
        ),
        (
            "a lid open at the start counts after it was closed",
            standing(0x17, 0x15, 0x17, 0x16),
            ["lid_close", "lid_open", "press"],
        ),
        (
            "a button held while it is plugged in is no press",
            standing(0x16, 0x17, 0x16),
            [],
        ),
        (
            "garbage between the frames changes nothing",
            [*standing(0x15), 0x00, 0xFF, *standing(0x17), 0x1E, *standing(0x16)],
            ["lid_open", "press"],
        ),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_runs_of_frames(name: str, frames: list[int], expected: list[str]) -> None:
    assert events(frames) == expected, name


def test_three_seconds_of_pressing_are_a_single_hold() -> None:
    frames = [*standing(0x15, 0x17), *standing(0x16, frames=500), *standing(0x17)]
    assert events(frames) == ["lid_open", "press", "hold", "release"]
    times = {kind: at * POLL_S for at, kind in timed_events(frames)}
    assert times["hold"] - times["press"] == pytest.approx(3.0, abs=POLL_S)


def test_every_press_can_become_a_hold() -> None:
    press = [*standing(0x16, frames=250), *standing(0x17)]
    assert events([*standing(0x15, 0x17), *press, *press]).count("hold") == 2


def test_losing_a_button_is_reported_once_and_forgets_the_closed_lid() -> None:
    edges, _ = advance(Edges(), _reading(0x15), 0.0, TIMING)
    edges, kinds = lost(edges)
    assert kinds == (EventType.BUTTON_LOST,)
    assert lost(edges) == (Edges(), ())
    edges, _ = advance(edges, _reading(0x17), 1.0, TIMING)
    assert advance(edges, _reading(0x16), 2.0, TIMING)[1] == ()


@given(st.lists(st.sampled_from([0x14, 0x15, 0x16, 0x17, 0x00]), max_size=400))
def test_no_sequence_of_frames_presses_unless_the_lid_was_closed_before_it_opened(
    frames: list[int],
) -> None:
    edges = Edges()
    closed_seen, down = False, False
    for at, first in enumerate(frames):
        reading = decode(frame(first))
        if reading is None:
            continue
        edges, kinds = advance(edges, reading, at * POLL_S, TIMING)
        closed_seen = closed_seen or reading.lid is Lid.CLOSED
        for kind in kinds:
            if kind is EventType.PRESS:
                assert closed_seen
                assert reading.lid is Lid.OPEN
                assert reading.pressed
                assert not down, "a second press without a release"
                down = True
            elif kind is EventType.RELEASE:
                assert down, "a release without a press"
                down = False
            elif kind is EventType.HOLD:
                assert down


def _reading(first: int) -> Reading:
    reading = decode(frame(first))
    assert reading is not None
    return reading
