"""Tidy the store after deployments: once for all that end at about the same time."""

import asyncio
import time
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bigred_server.artifacts.retention import Retention
from bigred_server.errors import BigredError

log = structlog.get_logger(__name__)

# To prune is to read what all apps need, while nobody else writes to the journal: the pause after
# it is at least this long, and so many times as long as it took.
_PAUSE_S = 1.0
_PAUSES = 20


@dataclass
class Tidier:
    """Prunes a store in a task of its own, so that no app waits for it."""

    retention: Retention
    _is_due: asyncio.Event = field(default_factory=asyncio.Event)

    async def want(self) -> None:
        """Have the store pruned soon."""
        self._is_due.set()

    async def run(self) -> None:
        """Prune when somebody wants it, until cancelled."""
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            begun_s = time.monotonic()
            try:
                await self.retention.tidy()
            except (BigredError, SQLAlchemyError, OSError) as error:
                log.warning("can't prune the store", reason=str(error))
            await asyncio.sleep(max(_PAUSE_S, _PAUSES * (time.monotonic() - begun_s)))
