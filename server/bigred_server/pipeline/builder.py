"""The builder of one app: it turns submitted commits into releases, one at a time.

It is level-triggered like the rollout: all its state is in the journal. If a server stops during a
build, the next one resumes it at the stage that was interrupted.
"""

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from bigred_server import private_files
from bigred_server.artifacts import intake, war
from bigred_server.artifacts.intake import Submission
from bigred_server.artifacts.store import Store
from bigred_server.control_loop import ControlLoop
from bigred_server.errors import BigredError, BuildError, LeaseLostError
from bigred_server.journal import builds, releases
from bigred_server.journal.database import Database
from bigred_server.journal.disk import nearest
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
from bigred_server.model.disk_space import SPARE_BYTES
from bigred_server.model.plain_text import is_version, version_of
from bigred_server.model.release import Change, Release, Stage, live_of
from bigred_server.pipeline import tree
from bigred_server.pipeline.build_area import BuildArea
from bigred_server.pipeline.checkout import Repository, repository_of
from bigred_server.pipeline.isolation import Isolation
from bigred_server.pipeline.known_release import as_newest
from bigred_server.pipeline.workspace import Workspace
from bigred_server.settings import AppSettings
from bigred_server.settings.build import BuildSettings, Promote

log = structlog.get_logger(__name__)

_POLL_S = 1.0
_KEPT = 50
_MOST_REASON = 2000
_MOST_CHANGES = 100
_SHORT_COMMIT = 12
# What a build has in common with its release.
_SHARED = ("digest", "version", "author", "message")
_MANIFEST_VERSION = "Implementation-Version"


@dataclass
class Builder:
    """Builds one app. `folder`: for their logs. `slots`: limits the builds of all apps.

    `work`: where they run, if not in `folder`; `isolation`: how they are confined. `report` is
    called with every build that changed, and must not block.
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
    report: Callable[[Build], None]
    work: Path | None = None
    isolation: Isolation = field(default_factory=Isolation)
    _area: BuildArea = field(init=False)
    _loop: ControlLoop = field(init=False)
    _repository: Repository = field(init=False)

    def __post_init__(self) -> None:
        self._loop = ControlLoop(self._log_error, _POLL_S)
        settings = self.build_settings
        self._area = BuildArea(
            self.work or self.folder, self.isolation, settings.network, settings.inherit
        )
        self._repository = repository_of(settings, self._area.clone)

    def wake(self) -> None:
        """Check for waiting builds now instead of at the next poll."""
        self._loop.wake()

    async def run(self) -> None:
        """Build until cancelled."""
        await self._loop.run(self._tick)

    async def _tick(self) -> float:
        """Run the waiting builds; return the pause before the next tick, in seconds."""
        if await self.lead.hold():
            while await self._next():
                pass
        return _POLL_S

    def _log_error(self, reason: str) -> None:
        log.error("can't run the waiting builds", app=self.app, reason=reason)

    async def _next(self) -> bool:
        """Run one build; return whether there was one."""
        async with self.db.read() as db:
            if not await builds.of_app(db, self.app, WAITING | UNDER_WAY, 1):
                return False
        self._check_space()
        async with self.slots:
            # Read again: commits may have been submitted while this builder waited for a slot.
            async with self.db.read() as db:
                known = await builds.of_app(db, self.app, WAITING | UNDER_WAY)
            for one in superseded(known):
                await self._change(
                    one,
                    stage=Stage.SUPERSEDED,
                    reason="a newer commit was submitted before this build started",
                    ended_at=time.time(),
                )
            build = next_of(known)
            if build is not None:
                async with self.lead.guard():
                    await self._build(build)
        return True

    async def _build(self, build: Build) -> None:
        """Run one build; remove its temporary files before its result is reported."""
        workspace = Workspace(self.folder / build.id, self.context, self._area, self.store.limits)
        try:
            release = await self._make_release(build, workspace)
            stage = Stage.TESTED if release.stage is Stage.TESTED else Stage.READY
            result: dict[str, object] = {
                "stage": stage,
                **{name: getattr(release, name) for name in _SHARED},
            }
        except LeaseLostError:
            raise
        except (BigredError, OSError) as error:
            reason = str(error)
            if filled := self._crowded():
                await workspace.clean()
                # Unless the build itself took the space, it is begun again when there is room.
                self._check_space()
                reason = f"it filled the disk of {filled}: {reason.splitlines()[-1]}"
            result = {"stage": Stage.FAILED, "reason": reason[:_MOST_REASON]}
        await workspace.clean()
        async with self.db.read() as db:
            build = await builds.find(db, build.id) or build
        await self._change(build, **result, ended_at=time.time())
        await self._remove_old_folders()

    def _check_space(self) -> None:
        """Raise BuildError unless the disks have room for a build."""
        if folder := self._crowded():
            raise BuildError(
                f"{folder} has less than {SPARE_BYTES >> 20} MiB free; free some space there: the "
                "builds go on by themselves"
            )

    def _crowded(self) -> Path | None:
        """Return the folder whose disk has no room for a build; None if there is room."""
        places = (self.folder, self._area.folder, self.store.folder)
        folders = [nearest(place) for place in places]
        return next((one for one in folders if shutil.disk_usage(one).free < SPARE_BYTES), None)

    async def _make_release(self, build: Build, workspace: Workspace) -> Release:
        """Return the commit's release: a new one, or the one it has, which becomes the newest."""
        async with self.db.write() as db:
            await self.lead.fence(db)
            for release in await releases.of_app(db, self.app):
                if release.commit == build.commit and self.store.has(release.digest):
                    return await releases.renew(db, as_newest(release, time.time()))
        tests = list(self.settings.tests.items())
        names = [name for name, _ in tests]
        in_tests = build.stage is Stage.TESTING and build.test in names
        if in_tests and workspace.war.exists() and workspace.source.exists():
            tests = tests[names.index(build.test) :]
        else:
            build = await self._compile(build, workspace)
        for name, settings in tests:
            build = await self._change(build, stage=Stage.TESTING, test=name)
            await workspace.test(name, settings, build)
        return await self._submit_artifact(build, workspace)

    async def _compile(self, build: Build, workspace: Workspace) -> Build:
        """Check out the commit and run the build command."""
        build = await self._change(build, stage=Stage.BUILDING, test="", started_at=time.time())
        private_files.make_folder(self.folder)
        self._area.make_folder()
        await self._repository.fetch(build.commit)
        build = await self._describe(build)
        await workspace.check_out(self._repository, build.commit)
        await workspace.build(self.build_settings, build)
        if self.build_settings.version == "manifest":
            manifest = await asyncio.to_thread(war.manifest, workspace.war)
            if _MANIFEST_VERSION not in manifest:
                raise BuildError(f"the manifest of the built WAR has no {_MANIFEST_VERSION}")
            version = version_of(manifest[_MANIFEST_VERSION])
            build = await self._change(build, version=version)
        return build

    async def _describe(self, build: Build) -> Build:
        """Record the commit's author and message from the repository, and choose the version."""
        about, version = await self._repository.about(build.commit)
        async with self.db.read() as db:
            used = [release.version for release in await releases.of_app(db, self.app)]
        chosen = free_version(version, used)
        if not is_version(chosen):
            commit = about.commit[:_SHORT_COMMIT]
            text = "the tag can't be a version; the short commit id is the version instead"
            log.warning(text, app=self.app, tag=version, commit=commit)
            chosen = free_version(commit, used)
        return await self._change(
            build,
            commit=about.commit,
            author=about.author,
            message=about.message,
            version=chosen,
        )

    async def _submit_artifact(self, build: Build, workspace: Workspace) -> Release:
        by_hand = self.settings.promote is Promote.BY_HAND
        submission = Submission(
            self.app,
            workspace.war,
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
        """List the commits since the live release; only this one if its history is unknown."""
        async with self.db.read() as db:
            known = await releases.of_app(db, self.app)
        live = live_of(known)
        own = (Change(build.commit, build.author, build.message),)
        if live is None or not is_commit(live.commit):
            return own
        try:
            found = await self._repository.since(live.commit, build.commit)
        except BuildError:
            # The clone lacks the live commit: its history was rewritten, or is too long.
            return own
        return tuple(found[:_MOST_CHANGES])

    async def _change(self, build: Build, **values: object) -> Build:
        async with self.db.write() as db:
            await self.lead.fence(db)
            await builds.change(db, build.id, **values)
        build = replace(build, **values)  # type: ignore[arg-type]
        log.info(
            "build changed",
            app=self.app,
            build=build.id,
            stage=build.stage,
            test=build.test,
            **({"reason": build.reason} if build.reason else {}),
        )
        self.report(build)
        return build

    async def _remove_old_folders(self) -> None:
        """Remove the folders, including the logs, of all but the newest builds."""
        async with self.db.read() as db:
            kept = {build.id for build in await builds.of_app(db, self.app, limit=_KEPT)}
        for folder in {self.folder, self._area.folder}:
            old = [one for one in folder.glob("b-*") if one.name not in kept]
            await tree.remove(*old)
