"""The doorbell: notices deployments and commands that another process writes to the journal.

`bigred deploy` and its like write to the journal alone. The loops look there every now and then;
with the doorbell they look as soon as something is there. PostgreSQL can't tell.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from bigred_server.clock import SYSTEM, Clock
from bigred_server.control_loop import ControlLoop
from bigred_server.journal import deployments
from bigred_server.journal.database import Database

log = structlog.get_logger(__name__)

_EVERY_S = 0.05
_PAUSE_S = 1.0


@dataclass
class Doorbell:
    """Calls `wake` with an app when a deployment of it has begun or was given a command."""

    db: Database
    wake: Callable[[str], None]
    clock: Clock = SYSTEM
    _known: frozenset[tuple[str, str, str]] = frozenset()
    _revision: int | None = None
    _loop: ControlLoop = field(init=False)

    def __post_init__(self) -> None:
        self._loop = ControlLoop(self._log_error, _PAUSE_S, clock=self.clock)

    async def run(self) -> None:
        """Run until cancelled."""
        await self._loop.run(self._tick)

    async def _tick(self) -> float:
        revision = await self.db.revision()
        if revision is not None and revision != self._revision:
            async with self.db.read() as db:
                found = frozenset(await deployments.asked_for(db))
            for app in sorted({app for app, _, _ in found - self._known}):
                self.wake(app)
            self._known, self._revision = found, revision
        return _EVERY_S

    def _log_error(self, reason: str) -> None:
        log.error("deployments from the command line are noticed later", reason=reason)
