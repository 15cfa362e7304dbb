"""The server's clock, which every box must know to prove that an event is fresh."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from bigred_broker.messages import Beacon, ServerClock
from bigred_server.clock import boot_clock_s

BEACON_S = 5.0
# However many boxes come online, all boxes receive few beacons.
_GAP_S = 1.0
# A Mosquitto takes in somewhat more that come back together.
BOXES_PER_S = 1000.0


@dataclass
class Beacons:
    """Sends the clock of one run of the server to so many boxes. Run `run()` as a task."""

    server_run: str
    send: Callable[[Beacon], None]
    boxes: int = 0
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)

    def clock(self) -> ServerClock:
        """Return what the clock shows now."""
        return ServerClock(run=self.server_run, at_ms=boot_clock_s() * 1000)

    def want(self) -> None:
        """Send a beacon soon: a box that has received none came online."""
        self._wanted.set()

    async def run(self) -> None:
        """Send a beacon regularly, and soon after it is wanted, until cancelled."""
        while True:
            self.send(Beacon(clock=self.clock(), spread_s=self.boxes / BOXES_PER_S))
            await asyncio.sleep(_GAP_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEACON_S - _GAP_S):
                    await self._wanted.wait()
            self._wanted.clear()
