"""Decide which releases stay, in the store and on the nodes, and remove the others."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from bigred_server.artifacts.store import Kept, Store
from bigred_server.errors import ReleaseError
from bigred_server.journal import deployments, releases
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.database import Database
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.last_good import last_good
from bigred_server.model.release import Release, Stage, candidate

log = structlog.get_logger(__name__)

_HISTORY = 100
# A file that the journal does not know may belong to a submission in progress.
_UNKNOWN_KEPT_S = 3600.0
_IN_USE = (Stage.LIVE, Stage.SUBMITTED, Stage.BUILDING, Stage.TESTING, Stage.TESTED)


def wanted(releases: Sequence[Release], history: Sequence[DeploymentRecord], keep: int) -> set[str]:
    """Return the digests of one app that must be kept.

    These are the releases in use (the live one, the candidate, the rollback target, those being
    built, and those that a running deployment may need) and the newest `keep` of the others,
    including bad ones, because a person may clear them. `history` holds the app's deployments,
    newest first, and the running one, even if it is a single-node repair.
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


def removable(kept: Iterable[Kept], known: set[str], wanted: set[str], now: float) -> list[Kept]:
    """Return the files of the store that may be removed; `now` is Unix time.

    `known` and `wanted` are the digests of all apps, because two apps may have the same WAR.
    """
    return [
        file
        for file in kept
        if file.digest not in wanted
        and (file.digest in known or now - file.changed_at > _UNKNOWN_KEPT_S)
    ]


@dataclass(frozen=True)
class Retention:
    """Prune one store. `keeps`: how many releases to keep per app, in addition to those in use."""

    db: Database
    store: Store
    keeps: Mapping[str, int]

    async def wanted(self, app: str) -> frozenset[str]:
        """Return the digests that must stay on the nodes of an app."""
        async with self.db.read() as db:
            return frozenset(await self._wanted(db, app, await releases.of_app(db, app)))

    async def prune(self, now: float, *, dry_run: bool = False) -> list[Kept]:
        """Remove unneeded files; return those removed, or that would be. `now` is Unix time.

        Raise ReleaseError if a file can't be removed.
        """
        # A write transaction, so that no deployment that needs one of these files starts meanwhile.
        async with self.db.write() as db:
            known: set[str] = set()
            wanted: set[str] = set()
            for app in await releases.apps(db):
                found = await releases.of_app(db, app)
                known |= {release.digest for release in found}
                wanted |= await self._wanted(db, app, found)
            kept = await asyncio.to_thread(self.store.contents)
            unneeded = removable(kept, known, wanted, now)
            if not dry_run:
                await asyncio.to_thread(self.store.remove, unneeded)
        return unneeded

    async def tidy(self) -> None:
        """Prune after a deployment; log what was removed, or the ReleaseError if it fails."""
        try:
            removed = await self.prune(time.time())
        except ReleaseError as error:
            log.warning("can't prune the store", reason=str(error))
            return
        if removed:
            freed = sum(file.size for file in removed)
            log.info("pruned the store", files=len(removed), freed_bytes=freed)

    async def _wanted(self, db: AsyncConnection, app: str, found: Sequence[Release]) -> set[str]:
        if app not in self.keeps:
            # Another configuration may still have this app: keep all its releases.
            return {release.digest for release in found}
        history = await deployments.newest(db, app, _HISTORY)
        running = await deployments.running(db, app)
        return wanted(found, [*history, *([running] if running else [])], self.keeps[app])
