"""One look for everybody who asks within a second: a look costs HAProxy and the nodes work."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from bigred_server.requests.preflight import Preflight, PreflightLook

SHARED_S = 1.0


@dataclass
class SharedPreflight:
    """A Preflight whose look is shared; what the journal knows is read anew each time."""

    alone: Preflight
    now: Callable[[], float] = time.monotonic
    _look: asyncio.Task[PreflightLook] | None = None
    _begun_s: float = 0.0

    @property
    def nodes(self) -> int:
        """See Preflight."""
        return self.alone.nodes

    @property
    def countdown_s(self) -> float:
        """See Preflight."""
        return self.alone.countdown_s

    async def look(self) -> PreflightLook:
        """Return a look that began within the last second, or one that is under way."""
        look = self._look
        if look is None or (look.done() and (self._is_old() or _failed(look))):
            self._begun_s = self.now()
            look = self._look = asyncio.create_task(self.alone.look())
        # One of those who wait may give up without ending the look of the others.
        return await asyncio.shield(look)

    def _is_old(self) -> bool:
        return self.now() - self._begun_s > SHARED_S


def _failed(look: asyncio.Task[PreflightLook]) -> bool:
    return look.cancelled() or look.exception() is not None
