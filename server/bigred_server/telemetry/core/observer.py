"""The observer of one app: turns log lines and looks at the fleet into looks for the judge.

It uses neither network nor clock: its caller passes in all data and times.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any  # the journal keeps JSON

from bigred_server.judge.look import Arm, LogCounts, Look, Pair
from bigred_server.judge.policy import JudgePolicy
from bigred_server.model.log_line import LogLine
from bigred_server.rollout.core.availability import is_serving
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.node_phase import is_proven
from bigred_server.rollout.core.observation import NodeLook
from bigred_server.rollout.core.ports import FleetLook, Observations
from bigred_server.telemetry.core import comparison
from bigred_server.telemetry.core.answers import Answers
from bigred_server.telemetry.core.baseline import Baseline, BaselineLearner
from bigred_server.telemetry.core.clients import Clients
from bigred_server.telemetry.core.cohort import Cohort, CohortHistory, Membership
from bigred_server.telemetry.core.comparison import NodeCounts
from bigred_server.telemetry.core.counters import Counting
from bigred_server.telemetry.core.window import NodeWindow, Window

_REPORT_S = 1.0


@dataclass
class Observer:
    """`servers`: HAProxy's server names, by node. See the protocol `Telemetry` of `rollout`."""

    policy: JudgePolicy
    servers: Mapping[str, str]
    learner: BaselineLearner = field(default_factory=BaselineLearner)
    clients: Clients = field(default_factory=Clients)
    usual: Baseline = field(default_factory=Baseline)
    cohorts: dict[str, Cohort | None] = field(default_factory=dict)
    _past: CohortHistory = field(default_factory=CohortHistory)
    _window: Window = field(default_factory=Window)
    _answers: Answers = field(default_factory=Answers)
    _counting: Counting = field(default_factory=Counting)
    _began_at: float | None = None
    _reported_at: float = 0.0
    _received: int = 0
    _missing: int = 0
    _ready_at: dict[str, float] = field(default_factory=dict)
    _runs: dict[str, bool] = field(default_factory=dict)
    _is_judging: bool = False

    def line(self, line: LogLine, came: float) -> None:
        """Process a line of HAProxy's log that arrived at `came` (Unix time)."""
        # The cohort is the node's when the request began: a request that hangs fails much later.
        membership = self._past.at(line.server, line.came)
        self._window.add(line, came, membership.cohort, self.clients)
        self._answers.add(membership.is_new, line.server, 1, int(line.failed))
        if not self._is_judging:
            self.learner.learn(line)

    def begin(self, kept: Mapping[str, Any] | None) -> dict[str, Any]:
        """Freeze the baseline, or restore the one that was stored; return it, to be stored."""
        self.usual = Baseline.from_json(kept) if kept else self.learner.frozen()
        self.clients.begin()
        self._ready_at.clear()
        self._past.clear()
        self._is_judging, self._began_at = True, None
        return self.usual.to_json()

    def rest(self, look: FleetLook, now: float) -> None:
        """Process a look between deployments; without log lines, learn from the counters."""
        self._is_judging = False
        self._counting.update(look)
        counts = self._counting.next_look().values()
        if not self._window.received:
            requests = sum(one.requests for one in counts)
            self.learner.count(now, requests, sum(one.errors for one in counts))
        self._window = Window()

    def see(
        self, look: FleetLook, deployment: Deployment, now: float, *, last: bool = False
    ) -> Observations | None:
        """Process a look at the fleet; return the judge's look every second and when it ends."""
        self._counting.update(look)
        cohorts = {name: self._cohort(node, deployment, now) for name, node in look.nodes.items()}
        if self._began_at is None:
            self._received = self._missing = 0
            self._counting.begin()
            self._begin_look(cohorts, now)
            return None
        # A look ends when a node changes its cohort, so that every look has constant cohorts.
        ended = last or cohorts != self.cohorts or now - self._began_at >= self.policy.look_s
        if not ended and now - self._reported_at < _REPORT_S:
            return None
        self._reported_at = now
        observations = Observations(
            self._look(now, self._began_at), is_whole=ended, usual=self.usual.errors
        )
        if ended:
            self._missing = self._missing_now()
            self._received += self._window.received
            self._begin_look(cohorts, now)
        return observations

    def _missing_now(self) -> int:
        return self._counting.missing(self._received + self._window.received)

    def _begin_look(self, cohorts: dict[str, Cohort | None], now: float) -> None:
        self._began_at, self._reported_at, self.cohorts = now, now, dict(cohorts)
        self._window, self._answers = Window(), Answers()
        self._counting.next_look()

    def _cohort(self, node: NodeLook, deployment: Deployment, now: float) -> Cohort | None:
        cohort: Cohort | None = None
        if is_proven(node, deployment.target):
            self._runs[node.name] = True
            if is_serving(node):
                ready_at = self._ready_at.setdefault(node.name, now)
                is_warm = now - ready_at >= self.policy.warmup_s
                cohort = Cohort.CANARY if is_warm else Cohort.WARMING
        elif deployment.previous and is_proven(node, deployment.previous):
            self._runs[node.name] = False
            cohort = Cohort.BASELINE if is_serving(node) else None
        if cohort not in (Cohort.CANARY, Cohort.WARMING):
            self._ready_at.pop(node.name, None)
        membership = Membership(cohort, self._runs.get(node.name))
        self._past.set(self.servers[node.name], membership, now)
        return cohort

    def _look(self, now: float, began_at: float) -> Look:
        counts = self._counting.since()
        exact = sum(one.requests for one in counts.values())
        by_log = self._window.received > 0 or not exact
        answers = self._answers if by_log else self._by_counts(counts)
        ours, others = self._windows(Cohort.CANARY), self._windows(Cohort.BASELINE)
        canary, baseline = ([s for one in some for s in one.samples] for some in (ours, others))
        # A line that was missing at the end of the previous look and arrived since is subtracted.
        lost = self._missing_now() - self._missing
        retries = self._retries(counts, by_log=by_log)
        return Look(
            at=now,
            span_s=now - began_at,
            errors=Pair(
                self._arm(Cohort.CANARY, counts, by_log=by_log),
                self._arm(Cohort.BASELINE, counts, by_log=by_log),
            ),
            warming=self._arm(Cohort.WARMING, counts, by_log=by_log),
            answered=answers.new.requests,
            failed=answers.new.errors,
            answered_old=answers.old.requests,
            failed_old=answers.old.errors,
            retries=retries,
            retried=self._retried(counts, is_new=True),
            retried_old=self._retried(counts, is_new=False),
            slow=comparison.slow(canary, baseline, self.usual),
            signs=comparison.signs(canary, baseline),
            lines=LogCounts(self._window.received, self._window.late, lost),
            where=comparison.where([*ours, *self._windows(Cohort.WARMING)]),
            nodes={
                name: (answers.nodes[server].errors, answers.nodes[server].requests)
                for name, server in self.servers.items()
                if server in answers.nodes
            },
        )

    def _windows(self, cohort: Cohort) -> list[NodeWindow]:
        return [one for (_, was), one in self._window.nodes.items() if was is cohort]

    def _arm(self, cohort: Cohort, counts: Mapping[str, NodeCounts], *, by_log: bool) -> Arm:
        if by_log:
            return comparison.arm_of_lines(self._windows(cohort))
        names = [name for name, one in self.cohorts.items() if one is cohort]
        return comparison.arm_of_counts([counts.get(name, NodeCounts()) for name in names])

    def _retries(self, counts: Mapping[str, NodeCounts], *, by_log: bool) -> Pair:
        """Compare the retries of HAProxy on nodes that have no visible errors."""
        windows = [(server, one) for (server, _), one in self._window.nodes.items() if one.errors]
        servers = {server for server, _ in windows}
        failing = {
            name
            for name, one in counts.items()
            if (self.servers[name] in servers if by_log else one.errors)
        }
        arms = []
        for cohorts in ((Cohort.CANARY, Cohort.WARMING), (Cohort.BASELINE,)):
            nodes = {name: one for name, one in counts.items() if self.cohorts.get(name) in cohorts}
            arms.append(comparison.arm_of_retries(nodes, failing))
        return Pair(*arms)

    def _retried(self, counts: Mapping[str, NodeCounts], *, is_new: bool) -> int:
        return sum(one.retried for name, one in counts.items() if self._runs.get(name) is is_new)

    def _by_counts(self, counts: Mapping[str, NodeCounts]) -> Answers:
        answers = Answers()
        for name, one in counts.items():
            answers.add(self._runs.get(name), self.servers[name], one.requests, one.errors)
        return answers
