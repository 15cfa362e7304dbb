"""What a reconciler needs from the journal, read again only when somebody has written."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bigred_server.journal import deployments, releases
from bigred_server.journal.database import Database
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.loop.mapping import KnownReleases, by_digest

_REPAIRS_SEEN = 20


@dataclass(frozen=True)
class JournalView:
    """One state of the journal, for one app.

    `running`: its running deployment. `known`: its releases. `last`: its newest deployment that is
    no repair, and `recent` the newest ones with the repairs; they are read only between
    deployments.
    """

    known: KnownReleases
    running: DeploymentRecord | None = None
    last: DeploymentRecord | None = None
    recent: Sequence[DeploymentRecord] = ()


@dataclass
class JournalReader:
    """Reads the journal for the reconciler of one app."""

    app: str
    db: Database
    _view: JournalView = field(default_factory=lambda: JournalView({}))
    _revision: int | None = None

    async def view(self) -> JournalView:
        """Return the present state of the journal; the same object if nobody has written."""
        # A commit between the two readings is one more reading at the next call.
        revision = await self.db.revision()
        if revision is None or revision != self._revision:
            self._view = await self._read()
            self._revision = revision
        return self._view

    async def _read(self) -> JournalView:
        async with self.db.read() as db:
            running = await deployments.running(db, self.app)
            known = by_digest(await releases.of_app(db, self.app))
            if running is not None:
                return JournalView(known, running)
            last = next(iter(await deployments.newest(db, self.app, 1)), None)
            recent = await deployments.newest(db, self.app, _REPAIRS_SEEN, mends=True)
            return JournalView(known, None, last, recent)
