"""The button's loop in its thread: it yields events, and finds a lost button again."""

import queue
import threading
from collections.abc import Iterator

import pytest

from bigred_agent.buttons import watch as watching
from bigred_agent.buttons.dream_cheeky import DreamCheekyButton
from bigred_agent.buttons.reading import ButtonEvent
from bigred_agent.buttons.simulated import SimulatedButton, UnknownCommandError
from bigred_agent.buttons.watch import Watch
from bigred_agent.testing.fake_usb import LID_CLOSED, LID_OPEN, FakeUsb
from bigred_broker.messages import EventType, Lid

Events = queue.Queue[ButtonEvent]
DEADLINE_S = 5.0


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    monkeypatch.setattr(watching, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(watching, "LONGEST_PAUSE_S", 0.04)
    return queue.Queue()


@pytest.fixture
def simulated(events: Events) -> Iterator[SimulatedButton]:
    button = SimulatedButton()
    watch = Watch(button, events.put, poll_s=0.015)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    yield button
    watch.stop()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def kinds(events: Events, count: int) -> list[str]:
    return [events.get(timeout=DEADLINE_S).kind.value for _ in range(count)]


def test_every_event_is_reported_even_if_the_commands_come_all_at_once(
    simulated: SimulatedButton, events: Events
) -> None:
    for word in ("open", "press", "press", "close"):
        simulated.command(word)
    assert kinds(events, 7) == [
        "button_found", "lid_open", "press", "release", "press", "release", "lid_close",
    ]  # fmt: skip


def test_each_event_has_its_own_id_and_the_position_of_the_lid(
    simulated: SimulatedButton, events: Events
) -> None:
    simulated.command("open")
    found, opened = (events.get(timeout=DEADLINE_S) for _ in range(2))
    assert (found.lid, opened.lid) == (Lid.CLOSED, Lid.OPEN)
    assert found.id != opened.id
    assert found.at_s < opened.at_s


def test_an_unplugged_button_is_reported_once_with_the_reason_and_found_again(
    simulated: SimulatedButton, events: Events
) -> None:
    simulated.command("unplug")
    assert kinds(events, 1) == ["button_found"]
    lost = events.get(timeout=DEADLINE_S)
    assert (lost.kind, lost.lid) == (EventType.BUTTON_LOST, Lid.UNKNOWN)
    assert "unplugged" in lost.reason
    simulated.command("plug")
    assert kinds(events, 1) == ["button_found"]


def test_a_driver_with_an_unexpected_failure_is_reopened(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    button = SimulatedButton()
    watch = Watch(button, events.put, poll_s=0.005)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        assert kinds(events, 1) == ["button_found"]
        with monkeypatch.context() as broken:
            broken.setattr(SimulatedButton, "read", _fail)
            lost = events.get(timeout=DEADLINE_S)
        assert (lost.kind, lost.reason) == (EventType.BUTTON_LOST, watching.DRIVER_FAILED)
        assert kinds(events, 1) == ["button_found"]
    finally:
        watch.stop()
        thread.join(DEADLINE_S)


def _fail(_: SimulatedButton) -> None:
    raise ValueError("Invalid endpoint address 0x81")


def test_an_unknown_command_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownCommandError, match="use open, close, press"):
        SimulatedButton().command("launch")


def test_the_usb_driver_survives_replug_and_a_button_that_is_missing_at_first(
    events: Events,
) -> None:
    usb = FakeUsb(plugged=False)
    watch = Watch(DreamCheekyButton(backend=usb), events.put, poll_s=0.005)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        assert kinds(events, 1) == ["button_lost"]
        usb.replug()
        assert kinds(events, 1) == ["button_found"]
        usb.level = LID_OPEN
        assert kinds(events, 1) == ["lid_open"]
        usb.plugged = False
        assert kinds(events, 1) == ["button_lost"]
        usb.replug()
        assert kinds(events, 1) == ["button_found"]
        usb.level = LID_CLOSED
        assert kinds(events, 1) == ["lid_close"]
    finally:
        watch.stop()
        thread.join(DEADLINE_S)
    assert usb.kernel_driver, "given back to the kernel at the end"
