"""News: what a test that listens waits for, with a deadline and without asking again and again."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest


@dataclass(frozen=True)
class News:
    """Tell it whenever something was heard; wait for what that makes so, up to `deadline_s`."""

    deadline_s: float
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        """Something was heard."""
        self._heard.set()

    async def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until it is so; the test fails, naming `what`, when it never is."""
        try:
            async with asyncio.timeout(self.deadline_s):
                while not is_so():
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            pytest.fail(f"never so: {what}")
