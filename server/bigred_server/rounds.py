"""Goes round after round: what an app's loop does at its pace, or at once when it is woken."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError

from bigred_server.errors import BigredError


@dataclass
class Rounds:
    """The rounds of one loop.

    `complain` tells what keeps a round from being done, once until a round is done or something
    else does; `pause_s` is how long it waits then. `troubles`: what is told, not raised.
    """

    complain: Callable[[str], None]
    pause_s: float
    troubles: tuple[type[Exception], ...] = (BigredError, SQLAlchemyError)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _told: str = ""

    def wake(self) -> None:
        """Begin the next round now."""
        self._wake.set()

    async def run(self, go: Callable[[], Awaitable[float]]) -> NoReturn:
        """Go round until cancelled; `go` gives how long to wait for the next, in seconds."""
        while True:
            try:
                pause_s = await go()
                self._told = ""
            except self.troubles as error:
                pause_s = self.pause_s
                if str(error) != self._told:
                    self._told = str(error)
                    self.complain(self._told)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            self._wake.clear()
