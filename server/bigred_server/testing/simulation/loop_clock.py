"""A clock for a real loop over a simulated fleet: time passes only while every task waits."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

# How often other tasks may run before the loop's wait counts as over.
_TURNS = 20
_WOKEN_S = 0.001


@dataclass
class LoopClock:
    """Advances by the loop's waits, however busy the machine is.

    A task that sleeps by it is woken when the loop's waits have added up to its time. While a
    context made by `holding` is open, time stands still.
    """

    now_s: float = 1000.0
    _began_at: float = field(default_factory=time.time)
    _held: int = 0
    _free: asyncio.Event = field(default_factory=asyncio.Event)
    _sleepers: list[tuple[float, asyncio.Future[None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._free.set()

    def monotonic(self) -> float:
        """See Clock."""
        return self.now_s

    def unix(self) -> float:
        """See Clock."""
        return self._began_at + self.now_s - 1000.0

    async def wait(self, event: asyncio.Event, timeout_s: float) -> None:
        """See Clock."""
        for _ in range(_TURNS):
            await asyncio.sleep(0)
            if event.is_set():
                # A loop that is woken all the time must not stop time.
                self._pass(min(timeout_s, _WOKEN_S))
                return
        await self.released()
        self._pass(timeout_s)

    async def released(self) -> None:
        """Return when no context made by `holding` is open."""
        await self._free.wait()

    def _pass(self, seconds: float) -> None:
        self.now_s += seconds
        for until_s, sleeper in self._sleepers:
            if until_s <= self.now_s and not sleeper.done():
                sleeper.set_result(None)
        self._sleepers = [one for one in self._sleepers if not one[1].done()]

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""
        if seconds <= 0:
            return
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now_s + seconds, sleeper))
        await sleeper

    def holding(
        self, opened: Callable[[], AbstractAsyncContextManager[T]]
    ) -> Callable[[], AbstractAsyncContextManager[T]]:
        """Return what `opened` returns, holding the clock while the context is open."""

        @contextlib.asynccontextmanager
        async def held() -> AsyncIterator[T]:
            self._held += 1
            self._free.clear()
            try:
                async with opened() as inner:
                    yield inner
            finally:
                self._held -= 1
                if not self._held:
                    self._free.set()

        return held
