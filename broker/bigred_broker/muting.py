"""Mutes the sources that flood a link: their messages stay at the broker.

What a source sends is dropped on the network thread from the first message too many on. That still
costs time, so the link gives up the subscriptions that bring it, for a minute.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bigred_broker.admission import Admission
from bigred_broker.connection import Connection
from bigred_broker.intake import Intake
from bigred_broker.subscription import Subscription

MUTE_S = 60.0
_DEADLINE_S = 10.0


@dataclass
class Muting:
    """The muted sources of a link, over all its connections. Needs a running loop.

    `mute` and `readmit` are called with the source.
    """

    intake: Intake
    mute: Callable[[str], None]
    readmit: Callable[[str], None]
    as_published: bool = False
    admission: Admission = field(init=False)
    _until_s: dict[str, float] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _subscribed: Sequence[Subscription] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def __post_init__(self) -> None:
        self.admission = Admission(
            self.intake.source_of, self._on_flood, limits_of=self.intake.limits_of
        )

    async def subscribe(self, connection: Connection) -> None:
        """Subscribe to all but the muted sources. Raises OSError if the broker refuses."""
        wanted = self.intake.without(frozenset(self._until_s))
        await self._begin(connection, wanted, retained=True)
        if connection.resumed:
            # An earlier process may have muted a source, and left what it subscribed to instead.
            topics = {one.topic for one in wanted}
            connection.unsubscribe(sorted(set(self.intake.alternatives()) - topics))
        self._subscribed = wanted

    async def run(self, connection: Connection) -> None:
        """Keep the subscriptions of a connection up to date, until it is lost or cancelled."""
        try:
            while not connection.lost.done():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._next_s()):
                        await self._changed.wait()
                self._changed.clear()
                await self._adjust(connection, retained=self._readmit())
        except OSError:
            connection.drop()

    def _next_s(self) -> float | None:
        soonest = min(self._until_s.values(), default=None)
        return None if soonest is None else max(0.0, soonest - time.monotonic())

    def _readmit(self) -> bool:
        """Readmit the sources whose time is over; return whether there is one."""
        now_s = time.monotonic()
        over = [source for source, until_s in self._until_s.items() if until_s <= now_s]
        for source in over:
            del self._until_s[source]
            self.admission.readmit(source)
            self.readmit(source)
        return bool(over)

    async def _adjust(self, connection: Connection, *, retained: bool) -> None:
        wanted = self.intake.without(frozenset(self._until_s))
        added = sorted(set(wanted) - set(self._subscribed))
        removed = sorted(set(self._subscribed) - set(wanted))
        # First the new ones: no message of the others may be missed.
        await self._begin(connection, added, retained=retained)
        connection.unsubscribe([one.topic for one in removed])
        self._subscribed = wanted

    async def _begin(
        self, connection: Connection, wanted: Sequence[Subscription], *, retained: bool
    ) -> None:
        """Subscribe; `retained`: whether to receive retained messages at all."""
        for qos, gets in sorted({(one.qos, one.retained) for one in wanted}):
            topics = [one.topic for one in wanted if (one.qos, one.retained) == (qos, gets)]
            await connection.subscribe(
                topics,
                _DEADLINE_S,
                qos=qos,
                as_published=self.as_published,
                retained=retained and gets,
            )

    def _on_flood(self, source: str) -> None:
        # On the network thread. Once the loop is closed, nobody is interested any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._mute, source)

    def _mute(self, source: str) -> None:
        self._until_s[source] = time.monotonic() + MUTE_S
        self._changed.set()
        self.mute(source)
        self.intake.flooded(source)
