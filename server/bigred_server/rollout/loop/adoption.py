"""Adoption: register what was live before Bigred was installed, so it can be rolled back to."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bigred_server.artifacts import intake
from bigred_server.artifacts.files import digest_of
from bigred_server.artifacts.store import Store
from bigred_server.errors import ReleaseError
from bigred_server.journal import releases
from bigred_server.journal.database import Database
from bigred_server.model.marker import MarkerSettings
from bigred_server.model.release import Release, Stage
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Looks

CopyWar = Callable[[str, Path], Awaitable[None]]


@dataclass(frozen=True)
class Adoption:
    """Adopts the WARs of one app's nodes; `copy_war` copies a node's WAR to a local file."""

    app: str
    db: Database
    store: Store
    marker: MarkerSettings
    copy_war: CopyWar

    async def adopt_unanimous(self, looks: Looks) -> None:
        """Make live what all nodes run and answer with; do nothing if they differ."""
        digests = {look.host.digest for look in looks.values()}
        if len(digests) != 1 or not all(
            look.host.digest and look.answer.ok for look in looks.values()
        ):
            return
        if UNKNOWN_DIGEST in digests:
            # Only HTTP reaches them, and the release that they report was not submitted yet.
            return
        await self._adopt(looks, next(iter(looks)))

    async def previous(
        self, looks: Looks, new: str, known: Mapping[str, Release]
    ) -> Release | None:
        """Return the release to roll back to: what most nodes run, or else the live one.

        Neither the new release nor a bad one counts. None if there is nothing to roll back to: this
        is the app's very first release.
        """
        digest = rollback_target(looks, new, known)
        if digest is None or digest in known:
            return known[digest] if digest else None
        node = next(name for name, look in looks.items() if look.host.digest == digest)
        return await self._adopt(looks, node)

    async def _adopt(self, looks: Looks, node: str) -> Release:
        look = looks[node]
        async with self.db.write() as db:
            known = await releases.find(db, self.app, look.host.digest or "")
            if known is not None:
                await releases.make_live(db, self.app, known.digest)
                return known
        with self.store.part() as part:
            await self.copy_war(node, part)
            if await asyncio.to_thread(digest_of, part) != look.host.digest:
                raise ReleaseError(f"{self.app}: the WAR of {node} was replaced while it was read")
            answered = look.answer.marker
            return await intake.adopt(self.db, self.store, self.marker, self.app, part, answered)


def rollback_target(looks: Looks, new: str, known: Mapping[str, Release]) -> str | None:
    """Return the digest to roll back to: what most nodes run, or else the live release.

    Neither the new release nor a bad one counts, nor one whose bytes can't be read. None if there
    is nothing to roll back to.
    """
    bad = {release.digest for release in known.values() if release.stage is Stage.BAD}
    out = {new, UNKNOWN_DIGEST, *bad}
    counts = Counter(
        x.host.digest for x in looks.values() if x.host.digest and x.host.digest not in out
    )
    if counts:
        return counts.most_common(1)[0][0]
    live = (r.digest for r in known.values() if r.stage is Stage.LIVE and r.digest != new)
    return next(live, None)
