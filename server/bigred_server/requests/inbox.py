"""The events of the boxes, answered one at a time for each box."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from bigred_broker.admission import Bucket
from bigred_broker.messages import BoxEvent, EventType
from bigred_server.requests.waiting_events import ANSWERED, WaitingEvent, WaitingEvents

log = structlog.get_logger(__name__)

# More than anybody does with a button and its lid.
ANSWERS_PER_S = 20.0
ANSWERS_BURST = 40.0


def _bucket() -> Bucket:
    return Bucket(ANSWERS_PER_S, ANSWERS_BURST)


_Queue = tuple[str, bool]
"""A source, and whether these are its stops, which wait for no look that a lid needs."""


@dataclass
class Inbox:
    """Answers events of boxes, one at a time for each source; its stops aside. Needs a loop.

    A source is a known box, or all unknown ones together; see `mqtt_gateway.box_intake`.
    """

    answer: Callable[[str, BoxEvent], Awaitable[None]]
    _waiting: dict[_Queue, WaitingEvents] = field(default_factory=dict)
    _buckets: dict[str, Bucket] = field(default_factory=lambda: defaultdict(_bucket))
    _tasks: dict[_Queue, asyncio.Task[None]] = field(default_factory=dict)

    def put(self, source: str, box: str, event: BoxEvent, done: Callable[[], None]) -> None:
        """Answer an event, after those of its source that came before it.

        `done` is called once a press was answered, and at once for any other event: an arming that
        is lost with this server is of no use to the next one.
        """
        if event.event_type is not EventType.PRESS:
            done()
            done = _nothing
        if event.event_type not in ANSWERED:
            return
        new = WaitingEvent(box, event, done)
        queue = (source, new.is_stop)
        self._waiting[queue], dropped = self._waiting.get(queue, WaitingEvents()).add(new)
        for one in dropped:
            one.done()
        if queue not in self._tasks:
            self._tasks[queue] = asyncio.create_task(self._work(queue))

    async def close(self) -> None:
        """Stop answering."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, queue: _Queue) -> None:
        """Answer what waits until nothing does."""
        source, _ = queue
        try:
            while self._waiting[queue].events:
                await asyncio.sleep(self._buckets[source].reserve_s(time.monotonic()))
                one, self._waiting[queue] = self._waiting[queue].take()
                await self._answer(one.box, one.event)
                one.done()
        finally:
            del self._tasks[queue]

    async def _answer(self, box: str, event: BoxEvent) -> None:
        try:
            await self.answer(box, event)
        except Exception:
            # The outermost edge of one event: the next one must still be answered.
            log.exception("can't answer an event", box=box, happened=event.event_type)


def _nothing() -> None:
    """Nobody waits for an acknowledgement any more."""
