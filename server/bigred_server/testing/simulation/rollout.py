"""A rollout over a simulated fleet: the reconciler's loop without asyncio and without a journal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bigred_server.judge.judgement import Judgement
from bigred_server.model.command import Command, refusal
from bigred_server.rollout.core.action import Action, ActionKind, Busy
from bigred_server.rollout.core.availability import is_serving
from bigred_server.rollout.core.decide import decide
from bigred_server.rollout.core.decision import Decision
from bigred_server.rollout.core.deployment import Deployment, entered
from bigred_server.rollout.core.node_phase import is_proven
from bigred_server.rollout.core.observation import Looks
from bigred_server.rollout.core.progress import NodeProgress, track, tried
from bigred_server.rollout.core.view import Orphan, View, wanted
from bigred_server.testing.simulation.fleet import SimulatedFleet
from bigred_server.testing.simulation.hooks import SimulatedHooks
from bigred_server.testing.simulation.luck import ActionFate, RunningAction, VirtualClock


@dataclass
class SimulatedRollout:
    """Looks, decides and acts, one tick at a time, until the deployment has ended.

    `decided`: every decision that changed something, with its time. `at_end`: the fleet's real
    state when the outcome was decided. `judgement`: the judge's present judgement.
    """

    fleet: SimulatedFleet
    clock: VirtualClock
    deployment: Deployment
    progress: dict[str, NodeProgress] = field(default_factory=dict)
    decided: list[tuple[float, Decision]] = field(default_factory=list)
    at_end: Looks = field(default_factory=dict)
    phase_since_s: float = 0.0
    hooks: SimulatedHooks = field(default_factory=SimulatedHooks)
    judgement: Judgement | None = None
    orphans: dict[str, Orphan] = field(default_factory=dict)
    _running: dict[str, tuple[RunningAction, NodeProgress]] = field(default_factory=dict)
    _again: dict[str, RunningAction] = field(default_factory=dict)
    _orphans: list[RunningAction] = field(default_factory=list)

    @property
    def reason(self) -> str:
        """Why the deployment is in its phase."""
        return self.deployment.record.reason

    @property
    def blames_build(self) -> bool:
        """Whether the new release is to blame for the outcome."""
        return self.deployment.record.blames_build

    @property
    def has_ended(self) -> bool:
        """Whether the deployment has an outcome and no action is running any more."""
        return self.deployment.record.phase.is_outcome and not self._running and not self._orphans

    def tick(self, tick_s: float, *, ends_while_looking: bool = False) -> None:
        """Look, decide, act, and let `tick_s` pass.

        `ends_while_looking`: let actions that are due end just after the look, as may happen.
        """
        if not ends_while_looking:
            self._end_due()
        self.hooks.end_due(self.clock())
        self.deployment = replace(self.deployment, hooks=dict(self.hooks.states))
        busy = {name: running.action.kind for name, (running, _) in self._running.items()}
        looks = self.fleet.see().nodes
        if ends_while_looking:
            self._end_due()
        if not self.deployment.record.phase.is_outcome:
            now_s = self.clock()
            self.progress = track(self.progress, looks, wanted(self.deployment), now_s)
            policy = self.fleet.policy
            since_s = self.phase_since_s
            view = View(
                self.deployment,
                looks,
                self.progress,
                busy,
                policy,
                now_s,
                since_s,
                judgement=self.judgement,
                orphans=self.orphans,
            )
            self._follow(decide(view), busy)
        self.clock.now_s += tick_s

    def ask(self, command: Command) -> None:
        """Give a command as a person would; it is refused if it can't be followed now."""
        deployment, record = self.deployment, self.deployment.record
        if not refusal(record.phase, record.command, command):
            self.deployment = replace(deployment, record=replace(record, command=command))

    def crash(self, fate: Callable[[Action], ActionFate]) -> None:
        """Let the reconciler die and another one begin, which knows only the journal."""
        begun = [running for running, _ in self._running.values()] + list(self._again.values())
        for running in begun:
            decided = fate(running.action)
            if decided is ActionFate.DONE:
                self.fleet.finish(running)
            elif decided is ActionFate.GOES_ON:
                self._orphans.append(running)
            else:
                self.fleet.undo(running)
        self.hooks.crash()
        for node in self.fleet.nodes.values():
            node.remembered = ""
        until_s = self.clock() + self.fleet.policy.start_s
        for running, _ in self._running.values():
            if running.action.kind is ActionKind.DEPLOY:
                self.orphans[running.action.node] = Orphan(running.action.target.digest, until_s)
        self.progress, self._running, self._again = {}, {}, {}
        self.phase_since_s = self.clock()

    def _follow(self, decision: Decision, busy: Busy) -> None:
        for action in decision.actions:
            if action.node not in busy or action.node in self._running:
                self._launch(action)
        if decision.hook is not None:
            touched, whole = bool(self.fleet.actions), self._is_whole()
            self.hooks.begin(decision.hook, self.clock(), touched=touched, whole=whole)
        before = self.deployment.record
        record = entered(before, decision, self.clock())
        self.deployment = replace(self.deployment, record=record)
        if decision.actions or record != before:
            self.decided.append((self.clock(), decision))
        if record.phase is before.phase:
            return
        self.phase_since_s = self.clock()
        if decision.phase.is_outcome:
            self.at_end = self.fleet.see().nodes

    def _is_whole(self) -> bool:
        target, looks = self.deployment.target, self.fleet.see().nodes
        record = self.deployment.record
        active = [name for name in record.nodes if name not in record.set_aside]
        return all(is_serving(looks[n]) and is_proven(looks[n], target) for n in active)

    def _launch(self, action: Action) -> None:
        if action.node not in self._running:
            self._running[action.node] = self.fleet.begin(action), self.progress[action.node]
        elif action.node not in self._again:
            self._again[action.node] = self.fleet.begin(action, again=True)

    def _end_due(self) -> None:
        now_s = self.clock()
        for orphan in [one for one in self._orphans if one.until_s <= now_s]:
            self._orphans.remove(orphan)
            self.fleet.finish(orphan)
        for name in _due(self._again, now_s):
            self.fleet.finish(self._again.pop(name))
        for name in _due({name: one for name, (one, _) in self._running.items()}, now_s):
            # A node stays busy until it is certainly closed again.
            if name not in self._again:
                running, begun = self._running.pop(name)
                failure = self.fleet.finish(running)
                self.progress = tried(self.progress, name, begun, now_s, failure)


def _due(running: Mapping[str, RunningAction], now_s: float) -> list[str]:
    return [name for name, one in running.items() if one.until_s <= now_s]
