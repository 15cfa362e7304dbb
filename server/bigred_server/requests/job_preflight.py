"""The state that the gates examine for an app that Jenkins deploys: its job and the next run."""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from bigred_server.errors import DeploymentError, JenkinsError
from bigred_server.jenkins.call import JenkinsCall
from bigred_server.jenkins.job import JenkinsJob
from bigred_server.jenkins.run import hindrance, run_of
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.database import Database
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release
from bigred_server.requests import deploy
from bigred_server.requests.gates import GateState
from bigred_server.requests.preflight import journaled
from bigred_server.settings import Settings
from bigred_server.settings.jenkins import JenkinsAppSettings


@dataclass(frozen=True)
class JobPreflightLook:
    """One look at the job of an app: the run that would start, or why none can."""

    name: str
    run: Release | None
    hindrance: str

    async def state(self, db: AsyncConnection) -> GateState:
        """Return the state of the app, read in a transaction."""
        state = await journaled(db, self.name)
        return replace(state, run=self.run, hindrance=self.hindrance)


@dataclass(frozen=True)
class JobPreflight:
    """Looks at the job of one app."""

    name: str
    settings: JenkinsAppSettings
    job: JenkinsJob
    nodes: int = 0

    @property
    def countdown_s(self) -> float:
        """The time from a press to the beginning of its deployment, in seconds."""
        return self.settings.countdown_s

    async def look(self) -> JobPreflightLook:
        """Look at the job; never raise."""
        try:
            seen = await self.job.look()
        except JenkinsError as error:
            return JobPreflightLook(self.name, None, f"Jenkins can't be asked: {error}")
        against = hindrance(self.name, self.settings, seen)
        run = run_of(self.name, seen.next_number, self.job.url, time.time())
        return JobPreflightLook(self.name, None if against else run, against)


async def start(
    db: Database, preflight: JobPreflight, version: str | None, who: str
) -> DeploymentRecord:
    """Begin a run of the job. Raise DeploymentError if it can't run, or if a version is given."""
    if version is not None:
        raise DeploymentError(
            f"{preflight.name} is deployed by Jenkins: its job {preflight.job.name} "
            "chooses the version"
        )
    look = await preflight.look()
    if look.run is None:
        raise DeploymentError(look.hindrance)
    return await deploy.start_run(db, look.run, who)


def job_preflights(settings: Settings) -> dict[str, JobPreflight]:
    """Return the preflight of every app that Jenkins deploys; the caller closes their jobs."""
    return {
        name: JobPreflight(name, app, JenkinsJob(JenkinsCall(app.jenkins)))
        for name, app in settings.jobs.items()
    }


@contextlib.asynccontextmanager
async def job_preflight(settings: Settings, name: str) -> AsyncIterator[JobPreflight]:
    """Provide the preflight of one app that Jenkins deploys, and close its job at the end."""
    preflight = job_preflights(settings)[name]
    try:
        yield preflight
    finally:
        await preflight.job.close()
