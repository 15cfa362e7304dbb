"""Retained messages that can wait: thousands of them must not delay a reply.

They are published a few at a time, each few after the broker has acknowledged those before them.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from bigred_broker.connection import FILTERS_A_PACKET, Connection


@dataclass
class Backlog:
    """The topics of the messages that wait. `publish` sends the present messages of some topics."""

    publish: Callable[[Sequence[str]], None]
    _topics: dict[str, None] = field(default_factory=dict)
    _added: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, topics: Iterable[str]) -> None:
        """Publish the messages of these topics later."""
        self._topics |= dict.fromkeys(topics)
        self._added.set()

    def clear(self) -> None:
        """Publish none of them: the next connection begins with all that is retained."""
        self._topics.clear()

    async def run(self, connection: Connection) -> None:
        """Publish what waits until the connection is lost, or until cancelled."""
        while not connection.lost.done():
            await self._added.wait()
            self._added.clear()
            while self._topics and not connection.lost.done():
                await connection.room()
                some = list(islice(self._topics, FILTERS_A_PACKET))
                for topic in some:
                    del self._topics[topic]
                self.publish(some)
