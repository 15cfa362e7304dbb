"""The builder of one app: commits that were handed in become releases, one at a time.

Level-triggered like the rollout: it remembers nothing that is not in the journal. A build that a
server left under way is gone on with by the next one, at the stage that was interrupted.
"""

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bigred_server.artifacts import intake, war
from bigred_server.artifacts.intake import Submission
from bigred_server.artifacts.store import Store
from bigred_server.errors import BigredError, BuildError, LeaseLostError
from bigred_server.journal import builds, releases
from bigred_server.journal.database import Database
from bigred_server.journal.leadership import Leadership
from bigred_server.model.build import (
    UNDER_WAY,
    WAITING,
    Build,
    free_version,
    is_commit,
    next_of,
    superseded,
)
from bigred_server.model.release import Change, Release, Stage, live_of
from bigred_server.pipeline.checkout import Repository, repository_of
from bigred_server.pipeline.workspace import Workspace
from bigred_server.rounds import Rounds
from bigred_server.settings import AppSettings
from bigred_server.settings.build import BuildSettings, Promote

log = structlog.get_logger(__name__)

_POLL_S = 1.0
_KEPT = 50
_MOST_REASON = 2000
_MOST_CHANGES = 100
_MANIFEST_VERSION = "Implementation-Version"


@dataclass
class Builder:
    """`folder`: where the builds of the app are done. `slots`: how many may go on, of all apps.

    `tell` is called with every build that changed, and must not block.
    """

    app: str
    settings: AppSettings
    build_settings: BuildSettings
    context: str
    db: Database
    store: Store
    lead: Leadership
    folder: Path
    slots: asyncio.Semaphore
    tell: Callable[[Build], None]
    _rounds: Rounds = field(init=False)
    _repository: Repository = field(init=False)

    def __post_init__(self) -> None:
        troubles = (BigredError, SQLAlchemyError, OSError)
        self._rounds = Rounds(self._complain, _POLL_S, troubles)
        self._repository = repository_of(self.build_settings, self.folder / "clone")

    def wake(self) -> None:
        """Have it look now instead of at its next tick."""
        self._rounds.wake()

    async def run(self) -> None:
        """Build until cancelled."""
        await self._rounds.run(self._round)

    async def _round(self) -> float:
        """Do the builds that wait; give how long to wait for the next, in seconds."""
        if await self.lead.hold():
            while await self._next():
                pass
        return _POLL_S

    def _complain(self, trouble: str) -> None:
        log.error("the builds wait", app=self.app, reason=trouble)

    async def _next(self) -> bool:
        """Do one build; say whether there was one."""
        async with self.db.read() as db:
            if not await builds.of_app(db, self.app, WAITING | UNDER_WAY, 1):
                return False
        async with self.slots:
            # What came while others had their turn counts too.
            async with self.db.read() as db:
                known = await builds.of_app(db, self.app, WAITING | UNDER_WAY)
            for one in superseded(known):
                await self._change(
                    one,
                    stage=Stage.SUPERSEDED,
                    reason="a newer commit was handed in before its turn came",
                    ended_at=time.time(),
                )
            build = next_of(known)
            if build is not None:
                async with self.lead.guard():
                    await self._build(build)
        return True

    async def _build(self, build: Build) -> None:
        """Do one build to its end; what is left of it goes before that is told."""
        shop = Workspace(self.folder / build.id, self.context)
        try:
            release = await self._make(build, shop)
            stage = Stage.TESTED if release.stage is Stage.TESTED else Stage.READY
            end: dict[str, object] = {"stage": stage, "digest": release.digest}
        except LeaseLostError:
            raise
        except (BigredError, OSError) as error:
            end = {"stage": Stage.FAILED, "reason": str(error)[:_MOST_REASON]}
        await asyncio.to_thread(shop.clean)
        async with self.db.read() as db:
            build = await builds.find(db, build.id) or build
        await self._change(build, **end, ended_at=time.time())
        await self._tidy()

    async def _make(self, build: Build, shop: Workspace) -> Release:
        """Give the release of a commit: made now, or by a server that ended just after that."""
        async with self.db.read() as db:
            for release in await releases.of_app(db, self.app):
                if release.commit == build.commit:
                    return release
        tests = list(self.settings.tests.items())
        names = [name for name, _ in tests]
        goes_on = build.stage is Stage.TESTING and build.test in names and shop.war.exists()
        if goes_on and shop.source.exists():
            tests = tests[names.index(build.test) :]
        else:
            build = await self._from_commit(build, shop)
        for name, settings in tests:
            build = await self._change(build, stage=Stage.TESTING, test=name)
            await shop.test(name, settings, build)
        return await self._adopt_artifact(build, shop)

    async def _from_commit(self, build: Build, shop: Workspace) -> Build:
        """Check the commit out and build it."""
        build = await self._change(build, stage=Stage.BUILDING, test="", started_at=time.time())
        self.folder.mkdir(parents=True, exist_ok=True)
        await self._repository.fetch(build.commit)
        build = await self._known(build)
        await shop.check_out(self._repository, build.commit)
        await shop.build(self.build_settings, build)
        if self.build_settings.version == "manifest":
            said = await asyncio.to_thread(war.manifest, shop.war)
            build = await self._change(build, version=said.get(_MANIFEST_VERSION, ""))
        return build

    async def _known(self, build: Build) -> Build:
        """Write down what the repository knows of the commit, and choose the version."""
        about, version = await self._repository.about(build.commit)
        async with self.db.read() as db:
            taken = [release.version for release in await releases.of_app(db, self.app)]
        return await self._change(
            build,
            commit=about.commit,
            author=about.author,
            message=about.message,
            version=free_version(version, taken),
        )

    async def _adopt_artifact(self, build: Build, shop: Workspace) -> Release:
        by_hand = self.settings.promote is Promote.BY_HAND
        submission = Submission(
            self.app,
            shop.war,
            build.version,
            build.commit,
            build.author,
            build.message,
            Stage.TESTED if by_hand else Stage.READY,
            await self._changes(build),
        )
        release, _ = await intake.submit(self.db, self.store, self.settings.marker, submission)
        return release

    async def _changes(self, build: Build) -> tuple[Change, ...]:
        """List what the commit has that the live release's has not, as far as that can be known."""
        async with self.db.read() as db:
            known = await releases.of_app(db, self.app)
        live = live_of(known)
        own = (Change(build.commit, build.author, build.message),)
        if live is None or not is_commit(live.commit):
            return own
        try:
            found = await self._repository.since(live.commit, build.commit)
        except BuildError:
            # The live one is no commit of this clone: its history was rewritten, or is too long.
            return own
        return tuple(found[:_MOST_CHANGES])

    async def _change(self, build: Build, **values: object) -> Build:
        async with self.db.write() as db:
            await self.lead.fence(db)
            await builds.change(db, build.id, **values)
        build = replace(build, **values)  # type: ignore[arg-type]
        log.info(
            "a build",
            app=self.app,
            build=build.id,
            stage=build.stage,
            test=build.test,
            **({"reason": build.reason} if build.reason else {}),
        )
        self.tell(build)
        return build

    async def _tidy(self) -> None:
        """Remove the folders of all but the newest builds: logs are kept, and not for ever."""
        async with self.db.read() as db:
            kept = {build.id for build in await builds.of_app(db, self.app, limit=_KEPT)}
        await asyncio.to_thread(self._remove, kept)

    def _remove(self, kept: set[str]) -> None:
        for folder in self.folder.glob("b-*"):
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)
