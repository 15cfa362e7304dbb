"""Learns what the boxes are from what they have retained on the broker.

A few boxes at a time: a broker drops what exceeds its queue for one client, so of ten thousand
messages for one subscription only some would arrive, and a lid would wait behind all of them. The
same happens to what boxes send that come online together, so who is unknown is looked up again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import structlog

from bigred_broker.connection import NotConnectedError
from bigred_broker.topics import Topics

log = structlog.get_logger(__name__)

AT_ONCE = 50
# A box that comes online sends what it is right away.
_GATHER_S = 1.0
_PAUSE_S = 0.025
# When all boxes come back together, most of them have done so by then, and nearly all later.
_AGAIN_S = (5.0, 10.0, 30.0)


@dataclass
class Census:
    """Asks for boxes of which nothing is known. Run `run()` as a task.

    `fetch` has what is retained on topics delivered, or raises OSError; `knows` returns whether a
    box has said what it is.
    """

    boxes: Collection[str]
    topics: Topics
    fetch: Callable[[Sequence[str]], Awaitable[None]]
    knows: Callable[[str], bool]
    _wanted: dict[str, None] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _later: asyncio.Task[None] | None = None

    def connected(self) -> None:
        """Ask for all boxes now, and for those still unknown some times later."""
        self.want(self.boxes)
        self.close()
        self._later = asyncio.create_task(self._again())

    def came(self, box: str) -> None:
        """Ask for a box that came online, unless it says what it is by itself."""
        if box in self.boxes and not self.knows(box):
            self.want([box])

    def want(self, boxes: Iterable[str]) -> None:
        """Ask for boxes soon."""
        self._wanted |= dict.fromkeys(boxes)
        self._changed.set()

    async def run(self) -> None:
        """Ask for what is wanted, until cancelled."""
        try:
            while True:
                await self._changed.wait()
                await asyncio.sleep(_GATHER_S)
                self._changed.clear()
                try:
                    await self._ask()
                except OSError as error:
                    log.info("can't read what the boxes are", reason=str(error))
                    if isinstance(error, NotConnectedError):
                        # The next connection asks for all boxes.
                        self._wanted.clear()
                    else:
                        self._changed.set()
        finally:
            self.close()

    def close(self) -> None:
        """Ask for nothing later."""
        if self._later is not None:
            self._later.cancel()

    async def _ask(self) -> None:
        while some := list(islice(self._wanted, AT_ONCE)):
            await self.fetch([self.topics.box(box, "info") for box in some])
            for box in some:
                self._wanted.pop(box, None)
            await asyncio.sleep(_PAUSE_S)

    async def _again(self) -> None:
        for pause_s in _AGAIN_S:
            await asyncio.sleep(pause_s)
            self.want(box for box in self.boxes if not self.knows(box))
