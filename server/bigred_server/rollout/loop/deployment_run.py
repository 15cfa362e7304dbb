"""The course of one deployment: each look leads to a decision, and the decision is carried out."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bigred_broker.messages import AppEventType, Phase
from bigred_server.errors import BigredError
from bigred_server.journal import acts, deployments
from bigred_server.journal.acts import ActRecord
from bigred_server.journal.deployments import Record
from bigred_server.rollout.core import sentences
from bigred_server.rollout.core.action import Act, Busy, Kind
from bigred_server.rollout.core.decide import decide
from bigred_server.rollout.core.decision import Call, Decision
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.observation import NodeLook
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.core.progress import Wait, track, tried
from bigred_server.rollout.core.view import Orphan, View, wanted
from bigred_server.rollout.loop import outcome
from bigred_server.rollout.loop.app_state import phase_text
from bigred_server.rollout.loop.context import Means
from bigred_server.rollout.loop.evaluation import Hearing
from bigred_server.rollout.loop.executor import Executor
from bigred_server.rollout.loop.mapping import Known, deployment_of, hook_environment
from bigred_server.rollout.loop.request_counter import Count


@dataclass
class Course:
    """One deployment on its way. Of what it did it remembers clocks and counters, nothing else.

    `hearing` is None where no judge is asked.
    """

    id: str
    means: Means
    executor: Executor
    count: Count
    hearing: Hearing | None = None
    orphans: Mapping[str, Orphan] = field(default_factory=dict)
    waits: dict[str, Wait] = field(default_factory=dict)
    phase_since_s: float = field(default_factory=time.monotonic)

    async def go_on(self, record: Record, known: Known, look: FleetLook, busy: Busy) -> Record:
        """Decide from a look, and carry it out; give the deployment as it is then.

        `look`: its releases are recognised. `busy`: the acts that ran when it was begun. One that
        ended meanwhile may be younger than what the look saw: it counts as running still.
        """
        record = await self.count.take(record, look)
        try:
            if record.phase is Phase.PREPARING and record.previous is None and not record.mends:
                record, known = await self._find_way_back(record, known, look)
        except BigredError as error:
            decision = Decision(Phase.ABORTED, reason=sentences.no_return_ticket(str(error)))
        else:
            deployment = self._deployment(record, known, await self._hooks(record))
            if self.hearing:
                record = await self.hearing.hear(record, deployment, look)
            decision = self._decide(deployment, look, busy)
            if self.hearing and decision.phase.is_outcome:
                record = await self.hearing.hear(record, deployment, look, last=True)
        entered = await self._enter(record, known, decision)
        if entered is None:
            # Somebody asked for something meanwhile: it comes first.
            self.means.wake()
            return record
        self._launch(entered, decision, look, busy, known)
        return entered

    def _deployment(self, record: Record, known: Known, hooks: list[ActRecord]) -> Deployment:
        return deployment_of(record, known, self.means.strategy, hooks)

    def _decide(self, deployment: Deployment, look: FleetLook, busy: Busy) -> Decision:
        now_s, looks = time.monotonic(), look.nodes
        self.waits = track(self.waits, looks, wanted(deployment), now_s)
        view = View(
            deployment,
            looks,
            self.waits,
            busy,
            self.means.policy,
            now_s,
            self.phase_since_s,
            look.queued,
            self.hearing.judgement if self.hearing else None,
            self.orphans,
        )
        return decide(view)

    async def _hooks(self, record: Record) -> list[ActRecord]:
        if not self.means.policy.hooks:
            return []
        async with self.means.db.read() as db:
            done = await acts.of_deployment(db, record.id)
        return [act for act in done if not act.node]

    async def _enter(self, record: Record, known: Known, decision: Decision) -> Record | None:
        """Write what changed to the journal and tell it; None when a new command was in between."""
        entered = outcome.entered(record, decision, time.time())
        if decision.phase is not record.phase:
            self.phase_since_s = time.monotonic()
        if entered == record and not decision.finding:
            return record
        release = known[record.digest]
        told = []
        async with self.means.db.write() as db:
            await self.executor.lead.fence(db)
            written = await outcome.write(
                db, entered, release, self.count.total, self.means.policy, record.command
            )
            if written is None:
                return None
            note = self.means.narrator.note
            if decision.finding:
                told.append(await note(db, written, AppEventType.FINDING, decision.finding))
            if decision.phase is not record.phase:
                reason = written.reason if decision.reason or decision.phase.is_outcome else ""
                count = len(written.nodes) - len(written.set_aside)
                text = phase_text(written.phase, release.version, count, reason)
                told.append(await note(db, written, AppEventType.PHASE, text))
                self.means.wake()
        for event in told:
            self.means.narrator.publish(event)
        return written

    def _launch(
        self, record: Record, decision: Decision, look: FleetLook, busy: Busy, known: Known
    ) -> None:
        for act in decision.acts:
            if act.node not in busy or act.node in self.executor.busy:
                sessions = _sessions(look.nodes[act.node], act)
                self.executor.launch(record, act, self._when_done(act), sessions)
        if decision.hook is not None and self.executor.hook is None:
            self._launch_hook(record, decision.hook, known)

    def _when_done(self, act: Act) -> Callable[[str], None]:
        begun = self.waits[act.node]

        def done(failure: str) -> None:
            self.waits = tried(self.waits, act.node, begun, time.monotonic(), failure)
            self.means.wake()

        return done

    def _launch_hook(self, record: Record, call: Call, known: Known) -> None:
        environment = hook_environment(record, call, known)

        async def work() -> str:
            return await self.means.hooks.run(call.hook, record.id, environment)

        self.executor.launch_hook(record, call.hook, work, lambda _failure: self.means.wake())

    async def _find_way_back(
        self, record: Record, known: Known, look: FleetLook
    ) -> tuple[Record, Known]:
        """Know what to go back to before anything is touched."""
        previous = await self.means.adoption.previous(look.nodes, record.digest, known)
        if previous is None:
            return record, known
        async with self.means.db.write() as db:
            await self.executor.lead.fence(db)
            await deployments.change(db, record.id, previous=previous.digest)
        return replace(record, previous=previous.digest), {**known, previous.digest: previous}


def _sessions(look: NodeLook, act: Act) -> int | None:
    """Count the sessions that an act is about: of one version, or of the whole node."""
    if act.kind is not Kind.UNDEPLOY:
        return look.sessions
    return sum(one.sessions for one in look.versions or () if one.name == act.version)
