"""A builder of one app with a journal and a store of its own, and all that it reported."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.until import until

from bigred_broker.config import parse
from bigred_server.artifacts.store import Store
from bigred_server.journal import builds, releases
from bigred_server.journal.database import Database
from bigred_server.journal.sqlite_leadership import SqliteLeadership
from bigred_server.model.build import Build
from bigred_server.model.release import Release, Stage
from bigred_server.pipeline.builder import Builder
from bigred_server.pipeline.isolation import Isolation
from bigred_server.settings import AppSettings, Settings, example

_ENDED = frozenset({Stage.READY, Stage.TESTED, Stage.FAILED, Stage.SUPERSEDED})


@dataclass
class BuildSite:
    """A builder with a journal and a store of its own; `reported`: all builds that it reported."""

    builder: Builder
    db: Database
    reported: list[Build] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def submit(self, commit: str, who: str = "ada") -> Build:
        """Submit a commit."""
        async with self.db.write() as db:
            build, _ = await builds.submit(db, "shop", commit, "main", who, time.time())
        self.builder.wake()
        return build

    async def ended(self, build: Build, within_s: float = 30.0) -> Build:
        """Wait until a build has ended."""
        async with asyncio.timeout(within_s):
            while True:
                self.changed.clear()
                async with self.db.read() as db:
                    found = await builds.find(db, build.id)
                assert found is not None
                if found.stage in _ENDED:
                    return found
                await self.changed.wait()

    async def is_waiting(self, build: Build) -> None:
        """Wait until the builder has found that there is no room; the build has no result yet."""
        await until(lambda: bool(self.complaints), 30.0, "the builder waits")
        async with self.db.read() as db:
            found = await builds.find(db, build.id)
        assert found is not None
        assert found.stage not in _ENDED

    async def release(self, build: Build) -> Release:
        """Return the release of a build."""
        async with self.db.read() as db:
            found = await releases.find(db, "shop", build.digest or "")
        assert found is not None
        return found

    def log(self, build: Build, name: str = "build") -> str:
        """Return what a build or a test stage printed."""
        return (self.builder.folder / build.id / "logs" / f"{name}.log").read_text()

    def is_clean(self) -> bool:
        """Return whether only logs and artifacts are left."""
        return not [
            path
            for path in self.builder.folder.glob("b-*/*")
            if path.name not in ("logs", "artifacts")
        ]


def build_of(central: Path, vcs: str = "git", **more: object) -> dict[str, object]:
    """Return the build settings of a repository with a build.sh that leaves one WAR."""
    fields = {"repository": str(central), "vcs": vcs, "command": ["./build.sh"]}
    return {**fields, "artifact": "*.war", "limit_s": 30.0, **more}


@contextlib.asynccontextmanager
async def automation(
    folder: Path,
    central: Path,
    vcs: str = "git",
    isolation: Isolation | None = None,
    work: Path | None = None,
    **more: object,
) -> AsyncIterator[BuildSite]:
    """Run a builder whose build command is ./build.sh; `more` are further settings of the app."""
    settings = parse(example(), Settings, "example").fleets["shop"]
    fields: dict[str, object] = {"build": build_of(central, vcs)}
    app = AppSettings.model_validate({**settings.model_dump(), **fields, **more})
    assert app.build is not None
    db = await Database.open(folder / "bigred.db")
    builder = Builder(
        "shop",
        app,
        app.build,
        "/shop",
        db,
        Store(folder / "releases"),
        SqliteLeadership(),
        folder / "builds",
        asyncio.Semaphore(1),
        lambda _build: None,
        work,
        isolation or Isolation(),
    )
    site = BuildSite(builder, db)

    def report(build: Build) -> None:
        site.reported.append(build)
        site.changed.set()

    builder.report = report
    builder._loop.report = site.complaints.append
    running = asyncio.create_task(builder.run())
    try:
        yield site
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await db.close()
