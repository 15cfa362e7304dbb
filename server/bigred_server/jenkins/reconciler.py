"""The loop of an app that Jenkins deploys: look, decide, take one step, and look again.

Everything it must remember is in the journal, so that any server can continue and nothing is
reported twice.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from bigred_broker.messages import AppEventType, AppState, Phase
from bigred_server.control_loop import ControlLoop
from bigred_server.errors import JenkinsAwayError, JenkinsError
from bigred_server.jenkins import sentences
from bigred_server.jenkins.decide import Ask, End, Halt, Limits, Note, Step, decide
from bigred_server.jenkins.job import JenkinsJob
from bigred_server.jenkins.progress import ProgressReport
from bigred_server.jenkins.run import version
from bigred_server.jenkins.run_record import RunRecord
from bigred_server.jenkins.run_state import RunState
from bigred_server.journal import deployments, events, releases
from bigred_server.journal.database import Database
from bigred_server.journal.leadership import Leadership
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Stage
from bigred_server.rollout.loop.app_state import app_state
from bigred_server.rollout.loop.event_log import EventLog
from bigred_server.settings.jenkins import JenkinsAppSettings

log = structlog.get_logger(__name__)

_POLL_S = 1.0
_IDLE_S = 0.5


@dataclass
class JobReconciler:
    """Runs the deployments of one app by its job, in one task; `wake` it for new commands."""

    app: str
    db: Database
    job: JenkinsJob
    settings: JenkinsAppSettings
    events: EventLog
    lead: Leadership
    publish: Callable[[AppState], None]
    _reporter: ProgressReport | None = None
    _loop: ControlLoop = field(init=False)

    def __post_init__(self) -> None:
        self._loop = ControlLoop(self._log_error, _IDLE_S)

    def wake(self) -> None:
        """Make the loop look now instead of at its next tick."""
        self._loop.wake()

    async def run(self) -> None:
        """Run until cancelled."""
        await self._loop.run(self._tick)

    def _log_error(self, reason: str) -> None:
        log.error("the deployment waits", app=self.app, reason=reason)

    async def _tick(self) -> float:
        """Do what is due; return the seconds until the next tick."""
        if not await self.lead.hold():
            return _IDLE_S
        async with self.db.read() as db:
            record = await deployments.running(db, self.app)
        if record is None or record.trail is None:
            self._reporter = None
            await self._publish_state(None)
            return _IDLE_S
        countdown_s = record.not_before - time.time()
        if countdown_s > 0 and record.command is None:
            await self._publish_state(record)
            return min(countdown_s, _IDLE_S)
        if self._reporter is None or self._reporter.deployment != record.id:
            self._reporter = ProgressReport(
                record.id, self.job, self.events, await self._reported(record)
            )
            # Before the first answer of Jenkins: everybody sees the deployment begin.
            await self._publish_state(record)
        run = RunRecord.of(record.trail)
        seen = await self.job.see(run, self._parameters(record))
        await self._reporter.update(record, seen)
        abort = record.command is Command.ABORT
        step = decide(run, seen, self._limits(), time.time(), abort=abort)
        record = await self._do(record, step, seen)
        await self._publish_state(record)
        return 0.0 if isinstance(step, Note) else _POLL_S

    async def _do(
        self, record: DeploymentRecord, step: Step, seen: RunState | None
    ) -> DeploymentRecord:
        match step:
            case Ask(run):
                return await self._ask(record, run)
            case Note(run, phase):
                return await self._note(record, run, phase)
            case Halt(run, how):
                record = await self._save(record, run)
                try:
                    await self.job.stop(run, how)
                except JenkinsError as error:
                    await self._report(record, sentences.not_stopped(str(error)))
                else:
                    await self._report(record, sentences.halted(how, run.why, record.commanded_by))
            case End(phase, reason):
                return await self._end(record, phase, reason, seen)
        return record

    async def _ask(self, record: DeploymentRecord, run: RunRecord) -> DeploymentRecord:
        """Write to the journal that the run is requested, then request it."""
        record = await self._save(record, run)
        parameters = self._parameters(record)
        try:
            item = await self.job.start(parameters)
        except JenkinsAwayError as error:
            # It may be in the queue all the same: look for it from now on.
            await self._report(record, str(error))
            return record
        except JenkinsError as error:
            return await self._end(record, Phase.FAILED, sentences.not_started(str(error)), None)
        await self._report(record, sentences.requested(self.job, item, parameters))
        return record if item is None else await self._save(record, replace(run, item=item))

    async def _note(
        self, record: DeploymentRecord, run: RunRecord, phase: Phase
    ) -> DeploymentRecord:
        noted = []
        entered = replace(record, trail=run.to_json(), phase=phase)
        async with self.db.write() as db:
            await self.lead.fence(db)
            await deployments.change(db, record.id, trail=entered.trail, phase=phase)
            if run.build is not None:
                # Somebody else may have started a build since ours was announced.
                await releases.rename(db, self.app, record.digest, version(run.build))
                text = sentences.started(run.build, self.job.build_url(run.build))
                noted.append(await self.events.note(db, entered, AppEventType.PHASE, text))
        self.events.written(*noted)
        return entered

    async def _save(self, record: DeploymentRecord, run: RunRecord) -> DeploymentRecord:
        async with self.db.write() as db:
            await self.lead.fence(db)
            await deployments.change(db, record.id, trail=run.to_json())
        return replace(record, trail=run.to_json())

    async def _end(
        self, record: DeploymentRecord, phase: Phase, reason: str, seen: RunState | None
    ) -> DeploymentRecord:
        """Write the outcome and its effect on the release in one transaction."""
        # The person who asked to abort may have given a reason.
        given = record.reason if phase is Phase.ABORTED else ""
        now = time.time()
        ended = replace(record, phase=phase, reason=given or reason, ended_at=now)
        receipt = await self._reporter.receipt(ended, seen) if self._reporter else {}
        async with self.db.write() as db:
            await self.lead.fence(db)
            release = await releases.find(db, self.app, record.digest)
            name = release.version if release else record.id
            values = {"phase": phase, "reason": ended.reason, "ended_at": now}
            await deployments.change(db, record.id, **values, receipt={**receipt, "release": name})
            if phase is Phase.SUCCEEDED:
                await releases.make_live(db, self.app, record.digest)
            else:
                await releases.set_stage(db, self.app, record.digest, Stage.FAILED)
            text = sentences.ended(phase, name, ended.reason)
            event = await self.events.note(db, ended, AppEventType.PHASE, text)
        self.events.written(event)
        return ended

    async def _report(self, record: DeploymentRecord, text: str) -> None:
        await self.events.report(record, AppEventType.FINDING, text)

    async def _publish_state(self, record: DeploymentRecord | None) -> None:
        async with self.db.read() as db:
            known = await releases.of_app(db, self.app)
            if record is None:
                record = next(iter(await deployments.newest(db, self.app, 1)), None)
        state = app_state(self.app, record, known, {}, None)
        progress = self._reporter.progress if self._reporter and state.progress else None
        self.publish(state.model_copy(update={"progress": progress}))

    async def _reported(self, record: DeploymentRecord) -> set[str]:
        """Return the texts reported already, perhaps by another server."""
        async with self.db.read() as db:
            return {event.text for event in await events.of_deployment(db, record.id)}

    def _parameters(self, record: DeploymentRecord) -> dict[str, str]:
        values = {"app": self.app, "deployment": record.id, "who": record.who}
        given = self.settings.jenkins.parameters.items()
        return {name: text.format(**values) for name, text in given}

    def _limits(self) -> Limits:
        jenkins = self.settings.jenkins
        return Limits(jenkins.queue_s, jenkins.build_s, jenkins.unstable == "succeeded")
