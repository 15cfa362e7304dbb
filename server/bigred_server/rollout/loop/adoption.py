"""Adoption: what was live before Bigred came is taken in, so that there is a way back to it."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bigred_server.artifacts import intake
from bigred_server.artifacts.marker import MarkerSettings
from bigred_server.artifacts.store import Store
from bigred_server.journal import releases
from bigred_server.journal.database import Database
from bigred_server.model.release import Release, Stage
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Looks

CopyWar = Callable[[str, Path], Awaitable[None]]


@dataclass(frozen=True)
class Adoption:
    """Takes in the WARs of one app's nodes; `bring` copies that of a node to a file here."""

    app: str
    db: Database
    store: Store
    marker: MarkerSettings
    copy_war: CopyWar

    async def adopt_unanimous(self, looks: Looks) -> None:
        """Make live what all nodes run and answer for; do nothing when they differ."""
        digests = {look.host.digest for look in looks.values()}
        if len(digests) != 1 or not all(
            look.host.digest and look.answer.ok for look in looks.values()
        ):
            return
        if UNKNOWN_DIGEST in digests:
            # Only HTTP reaches them, and nobody has handed in yet what they say that they run.
            return
        await self._adopt(looks, next(iter(looks)))

    async def previous(
        self, looks: Looks, new: str, known: Mapping[str, Release]
    ) -> Release | None:
        """Say what to go back to: what most nodes run besides the new release, else the live one.

        None when there is nothing: the app's very first release. A bad release is no way back.
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
            said = look.answer.marker
            return await intake.adopt(self.db, self.store, self.marker, self.app, part, said)


def rollback_target(looks: Looks, new: str, known: Mapping[str, Release]) -> str | None:
    """Name what to go back to: what most nodes run besides the new release, else the live one.

    None when there is nothing. A bad release is no way back, nor is one whose bytes nobody sees.
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
