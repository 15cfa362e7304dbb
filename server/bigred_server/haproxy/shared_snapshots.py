"""Snapshots shared by all apps of this process: each HAProxy is read once for everybody who asks.

Whoever asks gets a snapshot whose reading began after they asked, so it shows the effect of all
that was done before. Those who ask while a HAProxy is being read share the next reading. No
HAProxy waits for another one.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bigred_server.haproxy.snapshot import Read, Snapshot, snapshot

# How many times as long as a reading takes the next one is put off while others may ask, too.
_PAUSES = 3
_LONGEST_PAUSE_S = 0.05


@dataclass
class _Readings:
    """The readings of one HAProxy: the one under way, and the one that has not begun."""

    latest: asyncio.Task[Snapshot] | None = None
    next: asyncio.Task[Snapshot] | None = None
    begun_s: float = float("-inf")
    free_at_s: float = float("-inf")


@dataclass
class SharedSnapshots:
    """Reads HAProxies by their addresses; `alone`: what reads one for a single caller."""

    alone: Read = snapshot
    now: Callable[[], float] = time.monotonic
    _of: dict[str, _Readings] = field(default_factory=dict)

    async def read(self, address: str) -> Snapshot:
        """Read a HAProxy now. Raise HaproxyError on failure."""
        readings = self._of.setdefault(address, _Readings())
        if readings.next is None:
            readings.next = asyncio.create_task(self._read(address, readings))
            readings.next.add_done_callback(_seen)
        # One of those who wait may give up without ending the reading of the others.
        return await asyncio.shield(readings.next)

    async def recent(self, address: str, age_s: float) -> Snapshot:
        """Return a snapshot whose reading began at most `age_s` ago. Raise as `read` does."""
        readings = self._of.setdefault(address, _Readings())
        if readings.latest and self.now() - readings.begun_s <= age_s:
            return await asyncio.shield(readings.latest)
        return await self.read(address)

    async def _read(self, address: str, readings: _Readings) -> Snapshot:
        if readings.latest is not None:
            await asyncio.wait([readings.latest])
        await asyncio.sleep(readings.free_at_s - self.now())
        readings.latest, readings.next = readings.next, None
        readings.begun_s = self.now()
        try:
            return await self.alone(address)
        finally:
            pause_s = _PAUSES * (self.now() - readings.begun_s)
            readings.free_at_s = self.now() + min(pause_s, _LONGEST_PAUSE_S)


def _seen(reading: asyncio.Task[Snapshot]) -> None:
    # Everybody who waited may be gone; asyncio would log the error as lost.
    if not reading.cancelled():
        reading.exception()
