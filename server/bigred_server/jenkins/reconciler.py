"""The loop of an app that Jenkins deploys: look, decide, take the one step, and look again.

All it must remember is in the journal, so that any server can go on; what it told already is not.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from bigred_broker.messages import AppEventType, AppState, Phase
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
from bigred_server.rounds import Rounds
from bigred_server.settings.jenkins import JenkinsAppSettings

log = structlog.get_logger(__name__)

_POLL_S = 1.0
_IDLE_S = 0.5


@dataclass
class JobReconciler:
    """Runs the deployments of one app by its job. One task; `wake` it when something is wanted."""

    app: str
    db: Database
    job: JenkinsJob
    settings: JenkinsAppSettings
    events: EventLog
    lead: Leadership
    tell: Callable[[AppState], None]
    _relay: ProgressReport | None = None
    _rounds: Rounds = field(init=False)

    def __post_init__(self) -> None:
        self._rounds = Rounds(self._complain, _IDLE_S)

    def wake(self) -> None:
        """Have the loop look now instead of at its next tick."""
        self._rounds.wake()

    async def run(self) -> None:
        """Run until cancelled."""
        await self._rounds.run(self._tick)

    def _complain(self, trouble: str) -> None:
        log.error("the deployment waits", app=self.app, reason=trouble)

    async def _tick(self) -> float:
        """Do what is due; give how long to wait for the next time, in seconds."""
        if not await self.lead.hold():
            return _IDLE_S
        async with self.db.read() as db:
            record = await deployments.running(db, self.app)
        if record is None or record.trail is None:
            self._relay = None
            await self._tell(None)
            return _IDLE_S
        countdown_s = record.not_before - time.time()
        if countdown_s > 0 and record.command is None:
            await self._tell(record)
            return min(countdown_s, _IDLE_S)
        if self._relay is None or self._relay.deployment != record.id:
            self._relay = ProgressReport(record.id, self.job, self.events, await self._told(record))
        trail = RunRecord.of(record.trail)
        seen = await self.job.see(trail, self._parameters(record))
        await self._relay.hear(record, seen)
        abort = record.command is Command.ABORT
        step = decide(trail, seen, self._limits(), time.time(), abort=abort)
        record = await self._take(record, step, seen)
        await self._tell(record)
        return 0.0 if isinstance(step, Note) else _POLL_S

    async def _take(
        self, record: DeploymentRecord, step: Step, seen: RunState | None
    ) -> DeploymentRecord:
        match step:
            case Ask(trail):
                return await self._ask(record, trail)
            case Note(trail, phase):
                return await self._note(record, trail, phase)
            case Halt(trail, how):
                record = await self._keep(record, trail)
                try:
                    await self.job.stop(trail, how)
                except JenkinsError as error:
                    await self._say(record, sentences.not_stopped(str(error)))
                else:
                    await self._say(record, sentences.halted(how, trail.why, record.commanded_by))
            case End(phase, reason):
                return await self._end(record, phase, reason, seen)
        return record

    async def _ask(self, record: DeploymentRecord, trail: RunRecord) -> DeploymentRecord:
        """Ask for the run; that it is asked for is in the journal before."""
        record = await self._keep(record, trail)
        parameters = self._parameters(record)
        try:
            item = await self.job.start(parameters)
        except JenkinsAwayError as error:
            # It may be in the queue all the same: that is looked for from now on.
            await self._say(record, str(error))
            return record
        except JenkinsError as error:
            return await self._end(record, Phase.FAILED, sentences.not_started(str(error)), None)
        await self._say(record, sentences.asked(self.job, item, parameters))
        return record if item is None else await self._keep(record, replace(trail, item=item))

    async def _note(
        self, record: DeploymentRecord, trail: RunRecord, phase: Phase
    ) -> DeploymentRecord:
        told = []
        entered = replace(record, trail=trail.to_json(), phase=phase)
        async with self.db.write() as db:
            await self.lead.fence(db)
            await deployments.change(db, record.id, trail=entered.trail, phase=phase)
            if trail.build is not None:
                # Somebody else's build may have come in between since it was announced.
                await releases.rename(db, self.app, record.digest, version(trail.build))
                text = sentences.begun(trail.build, self.job.build_url(trail.build))
                told.append(await self.events.note(db, entered, AppEventType.PHASE, text))
        for event in told:
            self.events.publish(event)
        return entered

    async def _keep(self, record: DeploymentRecord, trail: RunRecord) -> DeploymentRecord:
        async with self.db.write() as db:
            await self.lead.fence(db)
            await deployments.change(db, record.id, trail=trail.to_json())
        return replace(record, trail=trail.to_json())

    async def _end(
        self, record: DeploymentRecord, phase: Phase, reason: str, seen: RunState | None
    ) -> DeploymentRecord:
        """Write the outcome, and what follows from it for the release, in one transaction."""
        # Whoever asked for an abort may have said why.
        asked = record.reason if phase is Phase.ABORTED else ""
        now = time.time()
        ended = replace(record, phase=phase, reason=asked or reason, ended_at=now)
        slip = await self._relay.receipt(ended, seen) if self._relay else {}
        async with self.db.write() as db:
            await self.lead.fence(db)
            release = await releases.find(db, self.app, record.digest)
            told = release.version if release else record.id
            values = {"phase": phase, "reason": ended.reason, "ended_at": now}
            receipt = {**slip, "release": told}
            await deployments.change(db, record.id, **values, receipt=receipt)
            if phase is Phase.SUCCEEDED:
                await releases.make_live(db, self.app, record.digest)
            else:
                await releases.set_stage(db, self.app, record.digest, Stage.FAILED)
            text = sentences.ended(phase, told, ended.reason)
            event = await self.events.note(db, ended, AppEventType.PHASE, text)
        self.events.publish(event)
        return ended

    async def _say(self, record: DeploymentRecord, text: str) -> None:
        await self.events.say(record, AppEventType.FINDING, text)

    async def _tell(self, record: DeploymentRecord | None) -> None:
        async with self.db.read() as db:
            known = await releases.of_app(db, self.app)
            if record is None:
                record = next(iter(await deployments.newest(db, self.app, 1)), None)
        state = app_state(self.app, record, known, {}, None)
        progress = self._relay.progress if self._relay and state.progress else None
        self.tell(state.model_copy(update={"progress": progress}))

    async def _told(self, record: DeploymentRecord) -> set[str]:
        """Give what was told of it already: another server may have followed it before."""
        async with self.db.read() as db:
            return {event.text for event in await events.of_deployment(db, record.id)}

    def _parameters(self, record: DeploymentRecord) -> dict[str, str]:
        values = {"app": self.app, "deployment": record.id, "who": record.who}
        given = self.settings.jenkins.parameters.items()
        return {name: text.format(**values) for name, text in given}

    def _limits(self) -> Limits:
        jenkins = self.settings.jenkins
        return Limits(jenkins.queue_s, jenkins.build_s, jenkins.unstable == "succeeded")
