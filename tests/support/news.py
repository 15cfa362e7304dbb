"""News: a test that receives messages waits for a condition with a deadline, without polling."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest


@dataclass(frozen=True)
class News:
    """Wakes those who wait, up to `deadline_s`, whenever something was received."""

    deadline_s: float
    _received: asyncio.Event = field(default_factory=asyncio.Event)

    def notify(self) -> None:
        """Report that something was received."""
        self._received.set()

    async def until(
        self,
        is_so: Callable[[], bool],
        what: str,
        seen: Callable[[], object] | None = None,
    ) -> None:
        """Wait until `is_so()` is true.

        Fails the test at the deadline with `what`, and with what `seen()` returns then.
        """
        try:
            async with asyncio.timeout(self.deadline_s):
                while not is_so():
                    self._received.clear()
                    await self._received.wait()
        except TimeoutError:
            text = f"{what}: still not true after {self.deadline_s:g} s"
            pytest.fail(f"{text}; seen: {seen()!r}" if seen else text)
