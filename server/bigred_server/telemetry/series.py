"""Samples the business metrics of an app continuously, one bin at a time."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2
import structlog
from sqlalchemy.exc import SQLAlchemyError

from bigred_broker.faults import Faults
from bigred_server.errors import SeriesError
from bigred_server.journal import series as journal
from bigred_server.journal.database import Database
from bigred_server.judge.look import Bin
from bigred_server.settings.series import SeriesSettings
from bigred_server.telemetry import sources
from bigred_server.telemetry.core.expectation import expected
from bigred_server.telemetry.subscriptions import Subscriptions

log = structlog.get_logger(__name__)


@dataclass
class SeriesWatch:
    """`began_at`: start of the deployment being judged (Unix time); None between deployments."""

    app: str
    settings: Mapping[str, SeriesSettings]
    db: Database
    http: httpx2.AsyncClient
    observed: Subscriptions
    began_at: float | None = None
    _bins: list[Bin] = field(default_factory=list)
    _totals: dict[str, float] = field(default_factory=dict)
    _errors: dict[str, str] = field(default_factory=dict)
    _faults: Faults = field(default_factory=Faults)

    async def run(self) -> None:
        """Sample until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.observed.run())
            for name, one in self.settings.items():
                tasks.create_task(self._run(name, one))

    async def _run(self, name: str, settings: SeriesSettings) -> None:
        every_s = int(settings.every_s)
        at = 0
        while True:
            now = time.time()
            # If the sleep ends a moment too early, the same bin must not be sampled twice.
            at = max(int(now // every_s) * every_s, at + every_s)
            await asyncio.sleep(at + every_s - now)
            seen = await self._sample(name, settings)
            if seen is None:
                continue
            try:
                await self._store(name, at, every_s, seen)
            except SQLAlchemyError as error:
                # A bin that is lost is a gap; what it belongs to is watched all the same.
                if self._faults.count(str(error), time.monotonic()):
                    log.warning(
                        "a series can't be stored", app=self.app, series=name, reason=str(error)
                    )

    async def _sample(self, name: str, settings: SeriesSettings) -> float | None:
        """Return the count since the last sample; None if unknown, which is not zero."""
        try:
            value = await self._read(name, settings)
        except SeriesError as error:
            self._totals.pop(name, None)
            if self._errors.get(name) != str(error):
                self._errors[name] = str(error)
                log.warning("a series can't be read", app=self.app, series=name, reason=str(error))
            return None
        self._errors.pop(name, None)
        if settings.counts == "since":
            return value
        before = self._totals.get(name)
        self._totals[name] = value
        # A total that fell was reset: the count since the last sample is unknown.
        return None if before is None or value < before else value - before

    async def _read(self, name: str, settings: SeriesSettings) -> float:
        if settings.mqtt:
            return self.observed.read(name)
        return await sources.read(settings, self.http)

    async def _store(self, name: str, at: int, every_s: int, seen: float) -> None:
        async with self.db.write() as db:
            await journal.add(db, self.app, name, at, seen)
            bins = await journal.of(db, self.app, name)
        if self.began_at is None:
            return
        before, reference = expected(bins, at, every_s, self.began_at)
        self._bins.append(Bin(name, seen, before, reference))

    def collect(self) -> list[Bin]:
        """Return the bins that ended since the last call."""
        bins, self._bins = self._bins, []
        return bins
