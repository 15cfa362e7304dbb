"""Clocks: that of a loop, the system's or one that a test advances; and that told to boxes."""

import asyncio
import contextlib
import time
from typing import Protocol


def boot_clock_s() -> float:
    """Return the seconds since this machine was booted, suspended or not, for boxes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock(Protocol):
    """Reads the time, and waits."""

    def monotonic(self) -> float:
        """Return monotonic seconds, for deadlines and durations."""

    def unix(self) -> float:
        """Return Unix time in seconds, for people and for the journal."""

    async def wait(self, event: asyncio.Event, timeout_s: float) -> None:
        """Return once `event` is set, or after `timeout_s` seconds."""


class SystemClock:
    """The clock of this machine."""

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()

    def unix(self) -> float:
        """See Clock."""
        return time.time()

    async def wait(self, event: asyncio.Event, timeout_s: float) -> None:
        """See Clock."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await event.wait()


SYSTEM = SystemClock()
