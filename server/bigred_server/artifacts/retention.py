"""Which releases are kept, in the store and on the nodes, and which make room."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_broker.messages import Phase
from bigred_server.artifacts.store import Kept, Store
from bigred_server.errors import ReleaseError
from bigred_server.journal import deployments, releases
from bigred_server.journal.database import Database
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage, candidate, live_of

log = structlog.get_logger(__name__)

_HISTORY = 100
# A file that the journal does not know may be one that is being submitted just now.
_UNKNOWN_KEPT_S = 3600.0
_WAY_BACK = (Stage.RETIRED, Stage.READY)
_IN_USE = (Stage.LIVE, Stage.SUBMITTED, Stage.BUILDING, Stage.TESTING, Stage.TESTED)


def last_good(releases: Sequence[Release], history: Sequence[DeploymentRecord]) -> Release | None:
    """Find what a rollback of the live release goes back to; None when there is nothing.

    It is what was live before, unless that has become bad since; a person who cleared it has made
    it good again. `history` is the app's deployments, the newest first, without mends.
    """
    live = live_of(releases)
    if live is None:
        return None
    good = {release.digest: release for release in releases if release.stage in _WAY_BACK}
    brought = (r for r in history if r.phase is Phase.SUCCEEDED and r.digest == live.digest)
    before = next(brought, None)
    if before is not None and before.previous in good:
        return good[before.previous]
    retired = (release for release in good.values() if release.stage is Stage.RETIRED)
    return max(retired, key=lambda release: release.submitted_at, default=None)


def wanted(releases: Sequence[Release], history: Sequence[DeploymentRecord], keep: int) -> set[str]:
    """Say which digests of one app must be kept.

    Those in use: the live release, the candidate, the way back, what is being built, and whatever a
    running deployment may need; besides them the newest `keep`, bad ones too: a person may clear
    them. `history` is the app's deployments, the newest first, and the running one, a mend or not.
    """
    of_app = [record for record in history if record.mends is None]
    used = {release.digest for release in releases if release.stage in _IN_USE}
    for release in (candidate(list(releases)), last_good(releases, of_app)):
        if release is not None:
            used.add(release.digest)
    for record in history:
        if record.ended_at is None:
            used |= {record.digest, record.previous or "", record.takes_back or ""} - {""}
    others = [r for r in releases if r.digest not in used and r.stage is not Stage.FAILED]
    others.sort(key=lambda release: release.submitted_at, reverse=True)
    return used | {release.digest for release in others[:keep]}


def spare(kept: Iterable[Kept], known: set[str], wanted: set[str], now: float) -> list[Kept]:
    """Say which files of the store make room; `now` is Unix time.

    `known` and `wanted` are digests of all apps: two may have the same WAR.
    """
    return [
        file
        for file in kept
        if file.digest not in wanted
        and (file.digest in known or now - file.changed_at > _UNKNOWN_KEPT_S)
    ]


@dataclass(frozen=True)
class Retention:
    """The care of one store. `keeps`: how many releases each app keeps besides those in use."""

    db: Database
    store: Store
    keeps: Mapping[str, int]

    async def wanted(self, app: str) -> frozenset[str]:
        """Say which digests must stay on the nodes of an app."""
        async with self.db.read() as db:
            return frozenset(await self._wanted(db, app))

    async def prune(self, now: float, *, dry_run: bool = False) -> list[Kept]:
        """Make room in the store; give what went, or would go. `now` is Unix time.

        Raises ReleaseError when a file can't be removed.
        """
        # In a transaction that writes, so that no deployment begins meanwhile and needs one.
        async with self.db.write() as db:
            known: set[str] = set()
            wanted: set[str] = set()
            for app in await releases.apps(db):
                known |= {release.digest for release in await releases.of_app(db, app)}
                wanted |= await self._wanted(db, app)
            kept = await asyncio.to_thread(self.store.contents)
            going = spare(kept, known, wanted, now)
            if not dry_run:
                await asyncio.to_thread(self.store.remove, going)
        return going

    async def tidy(self) -> None:
        """Prune after a deployment: what went is logged, and trouble too; it never raises that."""
        try:
            went = await self.prune(time.time())
        except ReleaseError as error:
            log.warning("the store could not be pruned", reason=str(error))
            return
        if went:
            freed = sum(file.size for file in went)
            log.info("the store was pruned", files=len(went), freed_bytes=freed)

    async def _wanted(self, db: AsyncConnection, app: str) -> set[str]:
        found = await releases.of_app(db, app)
        if app not in self.keeps:
            # An app that another configuration may still have: all of it stays.
            return {release.digest for release in found}
        history = await deployments.newest(db, app, _HISTORY)
        running = await deployments.running(db, app)
        return wanted(found, [*history, *([running] if running else [])], self.keeps[app])
