"""Continuous deployment: a ready release is deployed by itself if it passes the gates."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from bigred_broker.faults import Faults
from bigred_server.artifacts.store import Store
from bigred_server.control_loop import ControlLoop
from bigred_server.journal import deployments, releases
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.database import Database
from bigred_server.journal.leadership import Leadership
from bigred_server.model.release import Release, candidate
from bigred_server.requests import deploy
from bigred_server.requests.gates import gate
from bigred_server.requests.preflight import Preflight

log = structlog.get_logger(__name__)

WHO = "when_ready"
_EVERY_S = 1.0


@dataclass
class Continuous:
    """The continuous deployment of one app. `run` it as a task; `wake` it when a release is ready.

    Each release is deployed automatically once for each time that its commit is pushed; after a
    rollback or an abort, people decide. `started` is called with the app when a deployment began.
    """

    name: str
    db: Database
    store: Store
    preflight: Preflight
    lead: Leadership
    started: Callable[[str], None]
    _faults: Faults = field(default_factory=Faults)
    _loop: ControlLoop = field(init=False)

    def __post_init__(self) -> None:
        self._loop = ControlLoop(self._report, _EVERY_S)

    def wake(self) -> None:
        """Check for a ready release now instead of at the next poll."""
        self._loop.wake()

    async def run(self) -> None:
        """Deploy until cancelled."""
        await self._loop.run(self._tick)

    async def _tick(self) -> float:
        """Deploy what is due; return the pause before the next tick, in seconds."""
        if await self.lead.hold() and await self.deploy():
            self.started(self.name)
        return _EVERY_S

    async def deploy(self) -> bool:
        """Begin a deployment if one is due and the gates allow it; return whether one began."""
        async with self.db.read() as db:
            release = await due(db, self.name)
        if release is None:
            return False
        look = await self.preflight.look()
        async with self.db.read() as db:
            state = await look.state(db)
        if (refusal := gate(state)) is not None:
            self._report(refusal.reason)
            return False
        if candidate(list(state.releases)) != release:
            # Another one became ready meanwhile: it has its own turn.
            return False
        record = await deploy.deploy(self.db, self.store, self.name, release.version, WHO)
        log.info(
            "deploying the ready release",
            app=self.name,
            deployment=record.id,
            release=release.version,
        )
        return True

    def _report(self, reason: str) -> None:
        if self._faults.count(reason, time.monotonic()):
            log.warning("the ready release is waiting", app=self.name, reason=reason)


async def due(db: AsyncConnection, app: str) -> Release | None:
    """Return the candidate of an app, unless it was deployed since it was submitted.

    A commit that the branch went back to is submitted again.
    """
    if await deployments.running(db, app) is not None:
        return None
    found = candidate(await releases.since_live(db, app))
    if found is None:
        return None
    before = await deployments.of_release(db, app, found.digest)
    return None if any(one.started_at >= found.submitted_at for one in before) else found
