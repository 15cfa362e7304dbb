"""Events of one box wait for each other, and few of them; other boxes do not wait at all."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigred_broker.messages import BoxEvent, EventType
from bigred_server.requests.inbox import Inbox
from bigred_server.requests.waiting_events import ANSWERED, MOST, WaitingEvent, WaitingEvents

OPEN, CLOSE = EventType.LID_OPEN, EventType.LID_CLOSE
PRESS, HOLD = EventType.PRESS, EventType.HOLD
DEADLINE_S = 10.0


def event(kind: EventType, number: int = 1, arming: str | None = None) -> BoxEvent:
    return BoxEvent(event_type=kind, id=f"e-{number}", seq=number, boot="b-1", arming=arming)


def waiting(*kinds: EventType) -> tuple[list[EventType], list[str]]:
    """Return what waits after these events, and the ids of those that were dropped."""
    queue, dropped = WaitingEvents(), []
    for number, kind in enumerate(kinds):
        queue, over = queue.add(WaitingEvent("red", event(kind, number)))
        dropped += [one.event.id for one in over]
    return [one.kind for one in queue.events], dropped


@pytest.mark.parametrize(
    ("kinds", "left", "dropped"),
    [
        ([OPEN, OPEN, OPEN], [OPEN], ["e-0", "e-1"]),
        ([OPEN, CLOSE], [CLOSE], ["e-0"]),
        # A countdown must still be cancelled by the lid that closed in between.
        ([CLOSE, OPEN], [CLOSE, OPEN], []),
        ([OPEN, CLOSE, OPEN, CLOSE, OPEN], [CLOSE, OPEN], ["e-0", "e-1", "e-2"]),
        # The box gave up the first one: it presses only once at a time.
        ([PRESS, PRESS], [PRESS], ["e-0"]),
        ([PRESS, CLOSE], [PRESS, CLOSE], []),
        ([PRESS, HOLD, HOLD], [PRESS, HOLD], ["e-1"]),
    ],
)
def test_the_newest_lid_wins_and_the_newest_press(
    kinds: list[EventType], left: list[EventType], dropped: list[str]
) -> None:
    assert waiting(*kinds)[0] == left
    assert sorted(waiting(*kinds)[1]) == dropped


@given(st.lists(st.sampled_from(sorted(ANSWERED)), max_size=30))
def test_few_events_wait_and_what_the_lid_did_last_is_among_them(kinds: list[EventType]) -> None:
    left, dropped = waiting(*kinds)
    assert len(left) == len(set(left)) <= len(ANSWERED)
    assert len(left) + len(dropped) == len(kinds)
    lids = [kind for kind in kinds if kind in (OPEN, CLOSE)]
    assert not lids or [kind for kind in left if kind in (OPEN, CLOSE)][-1] is lids[-1]
    assert (PRESS in left) is (PRESS in kinds)
    assert (CLOSE in left) is (CLOSE in kinds)


@dataclass
class Server:
    """Answers when the test lets it; only what is `slow` waits for that, if given."""

    slow: EventType | None = None
    free: asyncio.Event = field(default_factory=asyncio.Event)
    answered: list[tuple[str, str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inbox = Inbox(self.answer)

    async def answer(self, box: str, happened: BoxEvent) -> None:
        if happened.id == "e-13":
            raise RuntimeError("a fault of the product")
        if box != "blue" and self.slow in (None, happened.event_type):
            await self.free.wait()
        self.answered.append((box, happened.id))

    def gets(self, box: str, kind: EventType, number: int) -> None:
        self.inbox.put(box, box, event(kind, number), lambda: self.done.append(f"e-{number}"))

    async def settles(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while self.inbox._tasks:
                await asyncio.wait(list(self.inbox._tasks.values()))


async def test_a_box_that_waits_keeps_no_other_one_waiting() -> None:
    server = Server()
    server.gets("red", OPEN, 1)
    server.gets("blue", OPEN, 2)
    async with asyncio.timeout(DEADLINE_S):
        await server.inbox._tasks["blue", False]
    assert server.answered == [("blue", "e-2")]
    await server.inbox.close()


async def test_of_a_thousand_lids_the_first_and_the_newest_are_answered() -> None:
    server = Server()
    server.gets("red", OPEN, 0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for number in range(1, 1001):
        server.gets("red", OPEN, 1000 + number)
    server.free.set()
    await server.settles()
    assert server.answered == [("red", "e-0"), ("red", "e-2000")]


@pytest.mark.parametrize("kind", [kind for kind in EventType if kind is not PRESS])
async def test_only_a_press_is_kept_by_the_broker_until_it_is_answered(kind: EventType) -> None:
    server = Server()
    server.gets("red", kind, 1)
    server.gets("red", PRESS, 2)
    assert server.done == ["e-1"]
    server.free.set()
    await server.settles()
    assert server.done == ["e-1", "e-2"]


async def test_a_stop_waits_for_no_lid() -> None:
    server = Server(slow=OPEN)
    server.gets("red", OPEN, 1)
    await asyncio.sleep(0)
    for number in (2, 3):
        server.gets("red", PRESS, number)
        async with asyncio.timeout(DEADLINE_S):
            await server.inbox._tasks["red", True]
    assert server.answered == [("red", "e-2"), ("red", "e-3")]
    server.free.set()
    await server.settles()
    assert server.answered[-1] == ("red", "e-1")


async def test_a_press_that_fires_waits_for_its_lid() -> None:
    server = Server(slow=OPEN)
    server.gets("red", OPEN, 1)
    server.inbox.put("red", "red", event(PRESS, 2, arming="a" * 32), lambda: None)
    server.free.set()
    await server.settles()
    assert server.answered == [("red", "e-1"), ("red", "e-2")]


async def test_each_of_several_unknown_boxes_is_answered() -> None:
    server = Server()
    for number, box in enumerate(("x-1", "x-2", "x-3")):
        server.inbox.put("unknown boxes", box, event(OPEN, number), lambda: None)
    server.free.set()
    await server.settles()
    assert [box for box, _ in server.answered] == ["x-1", "x-2", "x-3"]


def test_of_a_thousand_unknown_boxes_few_wait() -> None:
    queue, dropped = WaitingEvents(), 0
    for number in range(1000):
        queue, over = queue.add(WaitingEvent(f"x-{number}", event(OPEN, number)))
        dropped += len(over)
    assert (len(queue.events), dropped) == (MOST, 1000 - MOST)
    assert queue.events[-1].box == "x-999"


async def test_a_fault_while_one_event_is_answered_keeps_nobody_waiting() -> None:
    server = Server()
    server.gets("blue", OPEN, 13)
    server.gets("blue", CLOSE, 14)
    await server.settles()
    assert server.answered == [("blue", "e-14")]
    assert server.done == ["e-13", "e-14"]
