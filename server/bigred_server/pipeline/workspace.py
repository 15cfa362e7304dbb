"""The workspace of one build: its folders, and the jobs that run in it."""

import asyncio
import contextlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from bigred_broker.program import ProgramError, free_port
from bigred_server import environment, private_files
from bigred_server.artifacts import war_check
from bigred_server.artifacts.interruptible import Checkpoint, in_thread
from bigred_server.errors import BuildError
from bigred_server.model import context_path
from bigred_server.model.build import Build
from bigred_server.model.war_limits import WarLimits
from bigred_server.pipeline import built_files, tree
from bigred_server.pipeline.build_area import BuildArea
from bigred_server.pipeline.checkout import Repository
from bigred_server.pipeline.job import Job, Result, UrlProbe
from bigred_server.pipeline.sandbox import BuildFolders
from bigred_server.settings.build import BuildSettings, StageSettings
from bigred_server.tomcat.installed import tomcat_home
from bigred_server.tomcat.instance import TomcatInstance

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Workspace:
    """One build's folders: `folder` with `logs` and `artifacts`, and one in the app's `area`.

    A build can read and change only what is in the area. `context`: the app's context path.
    `limits`: what its WAR may demand.
    """

    folder: Path
    context: str
    area: BuildArea
    limits: WarLimits

    @property
    def work(self) -> Path:
        """The folder with the checkout, the WAR, the Tomcat and the temporary files."""
        return self.area.folder / self.folder.name

    @property
    def source(self) -> Path:
        """The checkout."""
        return self.work / "source"

    @property
    def war(self) -> Path:
        """The WAR that was built: a copy, because tests may change the checkout."""
        return self.work / "release.war"

    @property
    def temporary(self) -> Path:
        """The build's folder for temporary files."""
        return self.work / "tmp"

    def log(self, name: str) -> Path:
        """Return the path of the log of the build or of a test stage."""
        return self.folder / "logs" / f"{name}.log"

    async def check_out(self, repository: Repository, commit: str) -> None:
        """Start over with a clean checkout. Raise BuildError if that fails."""
        await tree.remove(self.folder, self.work)
        private_files.make_folder(self.folder)
        self.area.make(self.work)
        await repository.check_out(commit, self.source)
        await self.area.give(self.source)

    async def build(self, settings: BuildSettings, build: Build) -> None:
        """Run the build command and copy its WAR. Raise BuildError if that fails."""
        variables = {**settings.environment, **self._variables(build)}
        done = await self._run(
            "build", [settings.command], self.source, settings.limit_s, variables
        )
        _check("the build", done, self.log("build"))
        await in_thread(lambda checkpoint: self._copy_war(settings.artifact, checkpoint))

    async def test(self, name: str, settings: StageSettings, build: Build) -> None:
        """Run one test stage. Raise BuildError if it fails."""
        variables = {**settings.environment, **self._variables(build)}
        steps: list[tuple[str, ...] | UrlProbe] = [settings.command]
        limit_s = settings.limit_s
        if settings.tomcat:
            tomcat = await self._tomcat(settings.tomcat_home or tomcat_home())
            url = f"http://127.0.0.1:{tomcat.port}{self.context}"
            steps = [tomcat.start_command, UrlProbe(f"{url}/", settings.tomcat_s), *steps]
            variables["BIGRED_URL"] = url
            limit_s += settings.tomcat_s
        try:
            done = await self._run(name, steps, self.source / settings.folder, limit_s, variables)
            _check(f"the test stage {name}", done, self.log(name))
        finally:
            await asyncio.to_thread(self._save_artifacts, name, settings.artifacts)

    async def clean(self) -> None:
        """Remove everything but the logs and artifacts."""
        names = ("source", "tomcat", "tmp", "release.war")
        files = [self.folder / name for name in ("job.json", "result.json")]
        try:
            await tree.remove(*(self.work / name for name in names), *files)
        except BuildError as error:
            log.warning("a build's files remain", folder=str(self.work), reason=str(error))
        if self.work != self.folder:
            with contextlib.suppress(OSError):
                self.work.rmdir()

    async def _run(
        self,
        name: str,
        steps: Sequence[tuple[str, ...] | UrlProbe],
        folder: Path,
        limit_s: float,
        variables: Mapping[str, str],
    ) -> Result:
        """Run the steps, confined, with their output in the log of that name."""
        area, path = self.area, self.log(name)
        await area.make_private(area.home)
        await area.make_private(self.temporary)
        if area.isolation.is_told:
            private_files.make_folder(path.parent)
            private_files.make_file(path)
            with path.open("a", encoding="utf-8") as file:
                file.write(f"[bigred: runs {area.isolation.text(network=area.network)}]\n")
        job = Job(
            steps,
            folder,
            path,
            self.folder,
            limit_s,
            {
                **environment.minimal(area.inherit),
                "HOME": str(area.home),
                "TMPDIR": str(self.temporary),
                **variables,
            },
            area.isolation.prefix(self._seen(), network=area.network),
            area.isolation.python,
        )
        return await job.run()

    def _seen(self) -> BuildFolders:
        tomcat = self.work / "tomcat"
        return BuildFolders(
            readable=(self.work, *([self.area.clone] if self.area.clone.exists() else [])),
            writable=(self.source, *([tomcat] if tomcat.exists() else [])),
            home=self.area.home,
            temporary=self.temporary,
        )

    def _variables(self, build: Build) -> Mapping[str, str]:
        return {
            "BIGRED_APP": build.app,
            "BIGRED_BUILD": build.id,
            "BIGRED_BRANCH": build.branch,
            "BIGRED_COMMIT": build.commit,
            "BIGRED_VERSION": build.version,
            "BIGRED_WAR": str(self.war),
        }

    def _copy_war(self, artifact: str, checkpoint: Checkpoint) -> None:
        found = built_files.find(self.source, artifact)
        if len(found) != 1:
            names = ", ".join(path.name for path in found[:3]) or "none"
            raise BuildError(f"the build must leave exactly one WAR as {artifact}; found: {names}")
        copy, name = self.folder / f"built-{found[0].name}", str(found[0])
        try:
            step = war_check.byte_limit(name, self.limits, checkpoint)
            built_files.copy(self.source, found[0], copy, self.area.owner, step)
            war_check.check(copy, self.limits, checkpoint, name)
            self.area.let_read(copy)
            shutil.move(copy, self.war)
        finally:
            copy.unlink(missing_ok=True)

    async def _tomcat(self, home: Path) -> TomcatInstance:
        folder = self.work / "tomcat"
        await tree.remove(folder)
        tomcat = TomcatInstance(folder, free_port(), home)
        try:
            await asyncio.to_thread(tomcat.create)
        except ProgramError as error:
            raise BuildError(f"can't create a private Tomcat: {error}") from error
        name = f"{context_path.war_name(self.context)}.war"
        await asyncio.to_thread(shutil.copyfile, self.war, tomcat.webapps / name)
        await self.area.give(folder)
        return tomcat

    def _save_artifacts(self, name: str, patterns: tuple[str, ...]) -> None:
        for pattern in patterns:
            for path in built_files.find(self.source, pattern):
                # What is left may be anything, and is not needed for the release.
                with contextlib.suppress(BuildError):
                    kept = self.folder / "artifacts" / name / path
                    built_files.copy(self.source, path, kept, self.area.owner)


def _check(what: str, result: Result, log: Path) -> None:
    """Raise BuildError unless a job succeeded."""
    if result.code == 0:
        return
    why = result.why or f"exit code {result.code}"
    raise BuildError(f"{what} failed: {why}; see {log}")
