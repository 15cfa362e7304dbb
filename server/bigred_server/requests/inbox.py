"""The events of the boxes, answered one at a time for each box."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from bigred_broker.admission import Bucket
from bigred_broker.messages import BoxEvent
from bigred_server.requests.waiting_events import ANSWERED, WaitingEvent, WaitingEvents

log = structlog.get_logger(__name__)

# More than anybody does with a button and its lid.
ANSWERS_PER_S = 20.0
ANSWERS_BURST = 40.0


def _bucket() -> Bucket:
    return Bucket(ANSWERS_PER_S, ANSWERS_BURST)


@dataclass
class Inbox:
    """Answers events of boxes, one at a time for each source. Needs a running loop.

    A source is a known box, or all unknown ones together; see `mqtt_gateway.box_intake`.
    """

    answer: Callable[[str, BoxEvent], Awaitable[None]]
    _waiting: dict[str, WaitingEvents] = field(default_factory=dict)
    _buckets: dict[str, Bucket] = field(default_factory=lambda: defaultdict(_bucket))
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def put(self, source: str, box: str, event: BoxEvent, done: Callable[[], None]) -> None:
        """Answer an event, after those of its source that came before it; then call `done`."""
        if event.event_type not in ANSWERED:
            done()
            return
        waiting = self._waiting.get(source, WaitingEvents())
        self._waiting[source], dropped = waiting.add(WaitingEvent(box, event, done))
        for one in dropped:
            one.done()
        if source not in self._tasks:
            self._tasks[source] = asyncio.create_task(self._work(source))

    async def close(self) -> None:
        """Stop answering."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, source: str) -> None:
        """Answer what waits until nothing does."""
        try:
            while self._waiting[source].events:
                await asyncio.sleep(self._buckets[source].reserve_s(time.monotonic()))
                one, self._waiting[source] = self._waiting[source].take()
                await self._answer(one.box, one.event)
                one.done()
        finally:
            del self._tasks[source]

    async def _answer(self, box: str, event: BoxEvent) -> None:
        try:
            await self.answer(box, event)
        except Exception:
            # The outermost edge of one event: the next one must still be answered.
            log.exception("can't answer an event", box=box, happened=event.event_type)
