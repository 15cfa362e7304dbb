"""The workspace of one build: its folder, and the jobs that run in it."""

import asyncio
import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bigred_broker.program import ProgramError, free_port
from bigred_server import private_files
from bigred_server.artifacts import war_check
from bigred_server.artifacts.interruptible import Checkpoint, in_thread
from bigred_server.errors import BuildError
from bigred_server.model import context_path
from bigred_server.model.build import Build
from bigred_server.model.war_limits import WarLimits
from bigred_server.pipeline import built_files
from bigred_server.pipeline.checkout import Repository
from bigred_server.pipeline.job import Job, Result, UrlProbe
from bigred_server.settings.build import BuildSettings, StageSettings
from bigred_server.tomcat.installed import tomcat_home
from bigred_server.tomcat.instance import TomcatInstance


@dataclass(frozen=True)
class Workspace:
    """The folder of one build, with `source`, `release.war`, `logs` and `artifacts` in it.

    `context`: the app's context path. `limits`: what its WAR may demand.
    """

    folder: Path
    context: str
    limits: WarLimits

    @property
    def source(self) -> Path:
        """The checkout."""
        return self.folder / "source"

    @property
    def war(self) -> Path:
        """The WAR that was built: a copy, because tests may change the checkout."""
        return self.folder / "release.war"

    def log(self, name: str) -> Path:
        """Return the path of the log of the build or of a test stage."""
        return self.folder / "logs" / f"{name}.log"

    async def check_out(self, repository: Repository, commit: str) -> None:
        """Start over with a clean checkout. Raise BuildError if that fails."""
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
        private_files.make_folder(self.folder)
        await repository.check_out(commit, self.source)

    async def build(self, settings: BuildSettings, build: Build) -> None:
        """Run the build command and copy its WAR. Raise BuildError if that fails."""
        environment = {**settings.environment, **self._variables(build)}
        log = self.log("build")
        job = Job([settings.command], self.source, log, self.folder, settings.limit_s, environment)
        _check("the build", await job.run(), log)
        await in_thread(lambda checkpoint: self._copy_war(settings.artifact, checkpoint))

    async def test(self, name: str, settings: StageSettings, build: Build) -> None:
        """Run one test stage. Raise BuildError if it fails."""
        environment = {**settings.environment, **self._variables(build)}
        steps: list[tuple[str, ...] | UrlProbe] = [settings.command]
        limit_s = settings.limit_s
        if settings.tomcat:
            tomcat = await asyncio.to_thread(self._tomcat, settings.tomcat_home or tomcat_home())
            url = f"http://127.0.0.1:{tomcat.port}{self.context}"
            steps = [tomcat.start_command, UrlProbe(f"{url}/", settings.tomcat_s), *steps]
            environment["BIGRED_URL"] = url
            limit_s += settings.tomcat_s
        log = self.log(name)
        job = Job(steps, self.source / settings.folder, log, self.folder, limit_s, environment)
        try:
            _check(f"the test stage {name}", await job.run(), log)
        finally:
            await asyncio.to_thread(self._save_artifacts, name, settings.artifacts)

    def clean(self) -> None:
        """Remove everything but the logs and artifacts."""
        for folder in (self.source, self.folder / "tomcat"):
            shutil.rmtree(folder, ignore_errors=True)
        for file in ("release.war", "release.new", "job.json", "result.json"):
            (self.folder / file).unlink(missing_ok=True)

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
            built_files.copy(self.source, found[0], copy, step=step)
            war_check.check(copy, self.limits, checkpoint, name)
            copy.replace(self.war)
        finally:
            copy.unlink(missing_ok=True)

    def _tomcat(self, home: Path) -> TomcatInstance:
        folder = self.folder / "tomcat"
        shutil.rmtree(folder, ignore_errors=True)
        tomcat = TomcatInstance(folder, free_port(), home)
        try:
            tomcat.create()
        except ProgramError as error:
            raise BuildError(f"can't create a private Tomcat: {error}") from error
        shutil.copyfile(self.war, tomcat.webapps / f"{context_path.war_name(self.context)}.war")
        return tomcat

    def _save_artifacts(self, name: str, patterns: tuple[str, ...]) -> None:
        for pattern in patterns:
            for path in built_files.find(self.source, pattern):
                # What is left may be anything, and is not needed for the release.
                with contextlib.suppress(BuildError):
                    built_files.copy(self.source, path, self.folder / "artifacts" / name / path)


def _check(what: str, result: Result, log: Path) -> None:
    """Raise BuildError unless a job succeeded."""
    if result.code == 0:
        return
    why = result.why or f"exit code {result.code}"
    raise BuildError(f"{what} failed: {why}; see {log}")
