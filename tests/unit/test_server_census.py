"""Whom the server asks what they are, and when."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
from tests.support.until import until

from bigred_broker.connection import NotConnectedError
from bigred_broker.topics import Topics
from bigred_server.mqtt_gateway import census
from bigred_server.mqtt_gateway.census import AT_ONCE, Census

DEADLINE_S = 5.0
BOXES = [f"box-{number}" for number in range(2 * AT_ONCE + 1)]


@dataclass
class Rig:
    """A census, whom it asked for at once, and who is known."""

    asked: list[Sequence[str]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    is_away: bool = False
    late: int = 0
    census: Census = field(init=False)

    def __post_init__(self) -> None:
        self.census = Census(BOXES, Topics(), self.fetch, self.known.__contains__)

    async def fetch(self, topics: Sequence[str]) -> None:
        if self.is_away:
            raise NotConnectedError("the broker is away")
        if self.late:
            self.late -= 1
            raise TimeoutError("no answer within 10 s")
        self.asked.append([topic.split("/")[2] for topic in topics])

    def boxes(self) -> list[str]:
        return [box for some in self.asked for box in some]


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(census, "_GATHER_S", 0.0)
    monkeypatch.setattr(census, "_PAUSE_S", 0.0)
    monkeypatch.setattr(census, "_AGAIN_S", (0.05,))
    made = Rig()
    running = asyncio.create_task(made.census.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


async def test_on_a_new_connection_all_are_asked_for_a_few_at_a_time(rig: Rig) -> None:
    rig.known.update(BOXES)
    rig.census.connected()
    await until(lambda: len(rig.boxes()) == len(BOXES), DEADLINE_S, "all are asked for")
    assert rig.boxes() == BOXES
    assert max(map(len, rig.asked)) == AT_ONCE


async def test_who_is_still_unknown_later_is_asked_for_again(rig: Rig) -> None:
    rig.known.update(BOXES[1:])
    rig.census.connected()
    await until(lambda: len(rig.boxes()) > len(BOXES), DEADLINE_S, "one is asked for again")
    assert rig.boxes()[len(BOXES) :] == BOXES[:1]


async def test_of_boxes_that_come_online_only_unknown_ones_are_asked_for(rig: Rig) -> None:
    rig.known.add("box-1")
    for box in ("box-1", "a-stranger", "box-2"):
        rig.census.came(box)
    await until(lambda: rig.asked != [], DEADLINE_S, "one is asked for")
    assert rig.boxes() == ["box-2"]


async def test_without_a_connection_it_waits_for_the_next_one(rig: Rig) -> None:
    rig.is_away = True
    rig.census.came("box-1")
    await until(lambda: not rig.census._wanted, DEADLINE_S, "it gives up")
    rig.is_away = False
    rig.census.came("box-2")
    await until(lambda: rig.asked != [], DEADLINE_S, "it asks again")
    assert rig.boxes() == ["box-2"]


async def test_those_whose_answer_is_late_are_asked_for_again(rig: Rig) -> None:
    rig.late = 2
    rig.census.want(BOXES)
    await until(lambda: set(rig.boxes()) == set(BOXES), DEADLINE_S, "all were asked for")
    assert rig.late == 0
