"""The run of one deployment: decide after each look, and carry out the decision."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bigred_broker.messages import AppEventType, Phase
from bigred_server.errors import BigredError
from bigred_server.journal import actions, deployments
from bigred_server.model.action_record import ActionRecord
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.core import sentences
from bigred_server.rollout.core.action import Action, ActionKind, Busy
from bigred_server.rollout.core.decide import decide
from bigred_server.rollout.core.decision import Call, Decision
from bigred_server.rollout.core.deployment import Deployment, entered
from bigred_server.rollout.core.node_phase import WAITING
from bigred_server.rollout.core.observation import NodeLook
from bigred_server.rollout.core.phase_text import phase_text
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.core.progress import NodeProgress, track, tried
from bigred_server.rollout.core.view import Orphan, View, wanted
from bigred_server.rollout.loop import outcome
from bigred_server.rollout.loop.context import RunContext
from bigred_server.rollout.loop.evaluation import Evaluation
from bigred_server.rollout.loop.executor import Executor
from bigred_server.rollout.loop.mapping import KnownReleases, deployment_of, hook_environment
from bigred_server.rollout.loop.request_counter import RequestCounter


@dataclass
class DeploymentRun:
    """One deployment in progress. It remembers only clocks and counters, not what it did.

    `evaluation` is None if the judge is off, and for a repair.
    """

    id: str
    context: RunContext
    executor: Executor
    count: RequestCounter
    evaluation: Evaluation | None = None
    orphans: Mapping[str, Orphan] = field(default_factory=dict)
    progress: dict[str, NodeProgress] = field(default_factory=dict)
    phase_since_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.phase_since_s = self.context.clock.monotonic()

    async def go_on(
        self, record: DeploymentRecord, known: KnownReleases, look: FleetLook, busy: Busy
    ) -> DeploymentRecord:
        """Decide on a look, and carry out the decision; return the deployment's new record.

        `look`: with unknown digests filled in. `busy`: the actions that were running when the look
        began. The look may not show the effect of one that ended since, so it counts as running.
        """
        record = await self.count.update(record, look)
        try:
            if record.phase is Phase.PREPARING and record.previous is None and not record.mends:
                record, known = await self._find_rollback_target(record, known, look)
        except BigredError as error:
            decision = Decision(Phase.ABORTED, reason=sentences.live_not_kept(str(error)))
        else:
            deployment = self._deployment(record, known, await self._hooks(record))
            if self.evaluation:
                record = await self.evaluation.evaluate(record, deployment, look)
            decision = self._decide(deployment, look, busy)
            if self.evaluation and decision.phase.is_outcome:
                record = await self.evaluation.evaluate(record, deployment, look, last=True)
        entered = await self._enter(record, known, decision)
        if entered is None:
            # Somebody gave a command meanwhile: it comes first.
            self.context.wake()
            return record
        self._launch(entered, decision, look, busy, known)
        return entered

    def awaited(self, record: DeploymentRecord, look: FleetLook) -> list[NodeLook]:
        """Return the looks at the nodes that go on by themselves, without any action."""
        waiting = [
            name
            for name in record.nodes
            if name in look.nodes and self.progress[name].phase in WAITING
        ]
        return [look.nodes[name] for name in waiting if name not in self.executor.busy]

    def _deployment(
        self, record: DeploymentRecord, known: KnownReleases, hooks: list[ActionRecord]
    ) -> Deployment:
        return deployment_of(record, known, self.context.strategy, hooks)

    def _decide(self, deployment: Deployment, look: FleetLook, busy: Busy) -> Decision:
        now_s, looks = self.context.clock.monotonic(), look.nodes
        self.progress = track(self.progress, looks, wanted(deployment), now_s)
        view = View(
            deployment,
            looks,
            self.progress,
            busy,
            self.context.policy,
            now_s,
            self.phase_since_s,
            look.queued,
            self.evaluation.judgement if self.evaluation else None,
            self.orphans,
            look.sharing,
        )
        return decide(view)

    async def _hooks(self, record: DeploymentRecord) -> list[ActionRecord]:
        if not self.context.policy.hooks:
            return []
        async with self.context.db.read() as db:
            done = await actions.of_deployment(db, record.id)
        return [action for action in done if not action.node]

    async def _enter(
        self, record: DeploymentRecord, known: KnownReleases, decision: Decision
    ) -> DeploymentRecord | None:
        """Write what changed to the journal and publish it; None if a new command came first."""
        changed = entered(record, decision, self.context.clock.unix())
        if decision.phase is not record.phase:
            self.phase_since_s = self.context.clock.monotonic()
        if changed == record and not decision.finding:
            return record
        release = known[record.digest]
        new_events = []
        async with self.context.db.write() as db:
            await self.executor.lead.fence(db)
            written = await outcome.write(
                db, changed, release, self.count.result, self.context.policy, record.command
            )
            if written is None:
                return None
            note = self.context.events.note
            if decision.finding:
                new_events.append(await note(db, written, AppEventType.FINDING, decision.finding))
            if decision.phase is not record.phase:
                reason = written.reason if decision.reason or decision.phase.is_outcome else ""
                count = len(written.nodes) - len(written.set_aside)
                text = phase_text(written.phase, release.version, count, reason)
                new_events.append(await note(db, written, AppEventType.PHASE, text))
                self.context.wake()
        self.context.events.written(*new_events)
        return written

    def _launch(
        self,
        record: DeploymentRecord,
        decision: Decision,
        look: FleetLook,
        busy: Busy,
        known: KnownReleases,
    ) -> None:
        for action in decision.actions:
            if action.node not in busy or action.node in self.executor.busy:
                sessions = _sessions(look.nodes[action.node], action)
                self.executor.launch(record, action, self._when_done(action), sessions)
        if decision.hook is not None and self.executor.hook is None:
            self._launch_hook(record, decision.hook, known)

    def _when_done(self, action: Action) -> Callable[[str], None]:
        begun = self.progress[action.node]

        def done(failure: str) -> None:
            self.progress = tried(
                self.progress, action.node, begun, self.context.clock.monotonic(), failure
            )
            self.context.wake()

        return done

    def _launch_hook(self, record: DeploymentRecord, call: Call, known: KnownReleases) -> None:
        environment = hook_environment(record, call, known)

        async def work() -> str:
            return await self.context.hooks.run(call.hook, record.id, environment)

        self.executor.launch_hook(record, call.hook, work, lambda _failure: self.context.wake())

    async def _find_rollback_target(
        self, record: DeploymentRecord, known: KnownReleases, look: FleetLook
    ) -> tuple[DeploymentRecord, KnownReleases]:
        """Determine the release to roll back to, before any node is touched."""
        previous = await self.context.adoption.previous(look.nodes, record.digest, known)
        if previous is None:
            return record, known
        async with self.context.db.write() as db:
            await self.executor.lead.fence(db)
            await deployments.change(db, record.id, previous=previous.digest)
        return replace(record, previous=previous.digest), {**known, previous.digest: previous}


def _sessions(look: NodeLook, action: Action) -> int | None:
    """Count the sessions that an action affects: those of one version, or of the whole node."""
    if action.kind is not ActionKind.UNDEPLOY:
        return look.sessions
    return sum(one.sessions for one in look.host.versions or () if one.name == action.version)
