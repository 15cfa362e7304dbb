"""What can wait is published a few at a time, and only while there is a connection."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from tests.support.until import until

from bigred_broker.backlog import Backlog
from bigred_broker.connection import FILTERS_A_PACKET, Connection

DEADLINE_S = 5.0
TOPICS = [f"t/{number}" for number in range(2 * FILTERS_A_PACKET + 1)]


@dataclass
class Line:
    """A connection with room for a few messages whenever the test says so."""

    lost: "asyncio.Future[str]" = field(default_factory=lambda: asyncio.Future())
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def room(self) -> None:
        await self.free.wait()
        self.free.clear()


async def test_the_next_few_follow_when_the_broker_has_those_before() -> None:
    sent: list[Sequence[str]] = []
    line, backlog = Line(), Backlog(sent.append)
    backlog.add(TOPICS)
    running = asyncio.create_task(backlog.run(cast(Connection, line)))
    for count in (1, 2, 3):
        line.free.set()
        await until(lambda count=count: len(sent) == count, DEADLINE_S, "some more are sent")  # type: ignore[misc]
    assert [topic for some in sent for topic in some] == TOPICS
    assert max(map(len, sent)) == FILTERS_A_PACKET
    running.cancel()
    await asyncio.wait([running])


async def test_a_topic_that_changes_while_it_waits_is_published_once() -> None:
    sent: list[Sequence[str]] = []
    line, backlog = Line(), Backlog(sent.append)
    backlog.add(["t/1", "t/2"])
    backlog.add(["t/1"])
    line.free.set()
    running = asyncio.create_task(backlog.run(cast(Connection, line)))
    await until(lambda: sent != [], DEADLINE_S, "it is sent")
    assert sent == [["t/1", "t/2"]]
    running.cancel()
    await asyncio.wait([running])


async def test_nothing_that_waits_follows_a_lost_connection() -> None:
    sent: list[Sequence[str]] = []
    line, backlog = Line(), Backlog(sent.append)
    backlog.add(TOPICS)
    line.lost.set_result("it broke off")
    await asyncio.wait_for(backlog.run(cast(Connection, line)), DEADLINE_S)
    backlog.clear()
    assert sent == []
