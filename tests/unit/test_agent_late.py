"""A box that stood still sends nothing that somebody did long ago."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from tests.support.story import POLICY, Story, normal

from bigred_agent.buttons import watch as watching
from bigred_agent.buttons.reading import ButtonEvent, Reading
from bigred_agent.buttons.watch import Watch
from bigred_agent.machine.events import Resumed
from bigred_broker.messages import EventType, Lid, Phase

DEADLINE_S = 5.0
NOBODY = "The server did not answer."
STOOD_STILL = "The box stood still for a while. Cancelled."


@pytest.fixture
def box() -> Story:
    return normal()


def late(box: Story, kind: EventType, age_s: float) -> Story:
    """Something happened at the button a while ago, and is seen only now."""
    box.events += 1
    return box.happens(ButtonEvent(kind, f"e{box.events}", box.now_s - age_s, Lid.OPEN))


@pytest.mark.parametrize("age_s", [2.0, 15.0])
def test_an_old_press_is_not_sent_and_somebody_hears_it(box: Story, age_s: float) -> None:
    late(box.armed(), EventType.PRESS, age_s)
    assert (box.kinds, box.heard) == ([], [NOBODY])
    assert not box.state.is_armed


def test_a_press_that_is_young_enough_is_sent(box: Story) -> None:
    assert late(box.armed(), EventType.PRESS, 1.5).kinds == ["press"]


def test_an_old_lid_asks_for_nothing(box: Story) -> None:
    late(box, EventType.LID_OPEN, 15.0)
    assert (box.kinds, box.heard) == ([], [NOBODY])


@pytest.mark.parametrize(("kind", "heard"), [("press", [NOBODY]), ("hold", [])])
def test_an_old_stop_stops_nothing(box: Story, kind: str, heard: list[str]) -> None:
    late(box.fired().app(Phase.ROLLING).wait(6.0), EventType(kind), 8.0)
    assert (box.kinds, box.heard) == ([], heard)


def test_a_lid_that_closed_long_ago_still_cancels(box: Story) -> None:
    assert late(box.armed(), EventType.LID_CLOSE, 15.0).kinds == ["lid_close"]


def test_a_box_that_stood_still_is_disarmed_and_says_so(box: Story) -> None:
    box.armed().happens(Resumed())
    assert box.heard == [STOOD_STILL]
    assert box.button("press").kinds == []


def test_a_box_that_stood_still_unarmed_says_nothing(box: Story) -> None:
    assert box.happens(Resumed()).heard == []


def test_what_a_box_sees_right_after_it_stood_still_may_be_old(box: Story) -> None:
    box.fired().app(Phase.ROLLING).wait(6.0).happens(Resumed())
    assert box.button("press", after_s=0.1).kinds == []
    assert box.heard == [NOBODY]
    box.wait(POLICY.unsure_after_resuming_s)
    assert box.button("press").kinds == ["press"]


@dataclass
class StoppedButton:
    """A button that nobody reads for a while, as if the box stood still between two readings."""

    name: str = "stopped button"
    now_s: float = 100.0
    readings: Iterator[tuple[float, Reading]] = field(default_factory=lambda: iter(()))
    over: threading.Event = field(default_factory=threading.Event)

    def open(self) -> None: ...

    def close(self) -> None: ...

    def read(self) -> Reading | None:
        try:
            self.now_s, reading = next(self.readings)
        except StopIteration:
            self.over.set()
            return None
        return reading


def test_what_changed_while_nobody_looked_happened_right_after_the_last_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed, opened = Reading(Lid.CLOSED, pressed=False), Reading(Lid.OPEN, pressed=False)
    pressed = Reading(Lid.OPEN, pressed=True)
    button = StoppedButton(
        readings=iter([(100.0, closed), (100.1, opened), (115.0, pressed), (115.1, opened)])
    )
    events: queue.Queue[ButtonEvent] = queue.Queue()
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: button.now_s))
    watch = Watch(button, events.put, poll_s=0.0)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    assert button.over.wait(DEADLINE_S)
    watch.stop()
    thread.join(DEADLINE_S)
    seen = [(one.kind.value, one.at_s) for one in list(events.queue)]
    assert seen == [
        ("button_found", 100.0),
        ("lid_open", 100.1),
        ("press", 100.1),
        ("release", 115.1),
    ]
