"""What a reconciler needs from the journal, read again only when somebody has written."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from bigred_server.journal import deployments, releases
from bigred_server.journal.database import Database
from bigred_server.journal.revision import Fingerprints
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
    _fingerprints: Fingerprints | None = None

    async def view(self) -> JournalView:
        """Return the present state of the journal; the same object if it is the same for the app.

        What is the same is not read again, even if somebody has written about other apps.
        """
        revision = await self.db.revision()
        if revision is None or revision != self._revision:
            now = await self.db.fingerprints(self.app)
            view = await self._read(self._fingerprints, now)
            is_settled = await self.db.revision() == revision
            # All or nothing: what was not read must not count as read.
            self._view, self._revision = view, revision
            # Nobody knows which of the two that was read shows a commit in between.
            self._fingerprints = now if is_settled else None
        return self._view

    async def _read(self, before: Fingerprints | None, now: Fingerprints | None) -> JournalView:
        if before is not None and before == now:
            return self._view
        async with self.db.read() as db:
            if before and now and before.releases == now.releases:
                known = self._view.known
            else:
                known = by_digest(await releases.of_app(db, self.app))
            running = await deployments.running(db, self.app)
            if running is not None:
                return JournalView(known, running)
            last = next(iter(await deployments.newest(db, self.app, 1)), None)
            recent = await deployments.newest(db, self.app, _REPAIRS_SEEN, mends=True)
            return JournalView(known, None, last, recent)
