"""The control loop of an app: run a task's ticks, one after each pause or at once when woken."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NoReturn

from sqlalchemy.exc import SQLAlchemyError

from bigred_broker.faults import Faults
from bigred_server.clock import SYSTEM, Clock
from bigred_server.errors import BigredError


@dataclass
class ControlLoop:
    """Runs ticks until cancelled, and survives those that fail with an expected error.

    `report` is called with the error that fails a tick, once a minute for the same one. After a
    failed tick the loop pauses for `pause_s`. `expected`: the errors to report; others are raised.
    OSError is among them: too many open files or a full disk pass, and no loop may end with them.
    """

    report: Callable[[str], None]
    pause_s: float
    expected: tuple[type[Exception], ...] = (BigredError, SQLAlchemyError, OSError)
    clock: Clock = SYSTEM
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _faults: Faults = field(default_factory=Faults)

    def wake(self) -> None:
        """Start the next tick now."""
        self._wake.set()

    async def run(self, tick: Callable[[], Awaitable[float]]) -> NoReturn:
        """Run ticks until cancelled; `tick` returns the pause before the next one, in seconds."""
        while True:
            try:
                pause_s = await tick()
            except self.expected as error:
                pause_s = self.pause_s
                if self._faults.count(str(error), self.clock.monotonic()):
                    self.report(str(error))
            await self.clock.wait(self._wake, pause_s)
            self._wake.clear()
