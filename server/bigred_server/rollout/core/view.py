"""All that a decision is made from, and the questions it asks of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bigred_broker.messages import Phase
from bigred_server.judge.judgement import Judgement
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.core.action import ActionKind, Busy
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.node_phase import NodePhase, node_phase
from bigred_server.rollout.core.observation import Admin, Looks, NodeLook
from bigred_server.rollout.core.policy import Policy, Sessions
from bigred_server.rollout.core.progress import ProgressByNode, last_progress_s
from bigred_server.rollout.core.target import Target

_BACKWARDS = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK})
# Acts that go on while a node serves.
_WHILE_SERVING = frozenset({ActionKind.FETCH, ActionKind.UNDEPLOY})


def wanted(deployment: Deployment) -> Target:
    """Say what the nodes are to run in the deployment's present phase."""
    if deployment.record.phase in _BACKWARDS and deployment.previous is not None:
        return deployment.previous
    return deployment.target


def is_serving(look: NodeLook) -> bool:
    """Say whether HAProxy sends requests to the node."""
    return look.pool.admin is Admin.READY and look.pool.up


@dataclass(frozen=True)
class Orphan:
    """A deploy that was begun and nobody waits for: of which WAR, and until when it may come."""

    digest: str
    until_s: float


@dataclass(frozen=True)
class View:
    """A deployment, one look, the clocks (monotonic seconds), acts still running, the policy.

    `phase_since_s`: since when the deployment is in its phase. `queued`: requests that wait for
    any node at all. `judgement`: what the judge said after its last look, None while it is off.
    `orphans`: by node what a server that died had told the Manager, which may still come about.
    """

    deployment: Deployment
    looks: Looks
    progress: ProgressByNode
    busy: Busy
    policy: Policy
    now_s: float
    phase_since_s: float = 0.0
    queued: int = 0
    judgement: Judgement | None = None
    orphans: Mapping[str, Orphan] = field(default_factory=dict)

    @property
    def record(self) -> DeploymentRecord:
        """The deployment as it is recorded."""
        return self.deployment.record

    @property
    def target(self) -> Target:
        """What the nodes are to run now."""
        return wanted(self.deployment)

    @property
    def goes_back(self) -> bool:
        """Whether a rollback is on its way."""
        return self.record.phase is Phase.ROLLING_BACK

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The nodes in scope, without any that left the configuration meanwhile."""
        return tuple(name for name in self.record.nodes if name in self.looks)

    @cached_property
    def active(self) -> tuple[str, ...]:
        """The nodes in scope that were not set aside."""
        return tuple(name for name in self.nodes if name not in self.record.set_aside)

    @cached_property
    def node_phases(self) -> dict[str, NodePhase]:
        """Where each node in scope stands."""
        return {name: node_phase(self.looks[name], self.target) for name in self.nodes}

    @property
    def is_blind(self) -> bool:
        """Whether HAProxy can't be read: then no node is touched."""
        return all(self.looks[name].pool.admin is Admin.UNKNOWN for name in self.nodes)

    @property
    def is_stuck(self) -> bool:
        """Whether no node has come further for longer than the policy bears.

        Waits that the policy itself asks for are added to what it bears.
        """
        policy = self.policy
        patience_s = policy.progress_s
        if not self.goes_back:
            patience_s += max(policy.canary_bake_s, policy.batch_bake_s)
            patience_s += policy.sessions_s if policy.sessions is Sessions.WAIT else 0.0
            patience_s += policy.judge.extend_s if policy.judge.mode.actions else 0.0
        since_s = max(last_progress_s(self.progress, self.nodes), self.phase_since_s)
        return self.now_s - since_s > patience_s

    def may_change(self, name: str) -> bool:
        """Say whether a node may still become another one than the wanted, by itself."""
        orphan = self.orphans.get(name)
        if orphan is None or orphan.digest == self.target.digest:
            return False
        return self.now_s < orphan.until_s

    def waited_s(self, name: str) -> float:
        """Give how long a node stands where it stands."""
        return self.now_s - self.progress[name].since_s

    def is_baked(self, nodes: Sequence[str], bake_s: float) -> bool:
        """Say whether nodes have served for so long."""
        return all(self.waited_s(name) >= bake_s for name in nodes)

    def may_remove(self, taken: list[str]) -> bool:
        """Say whether enough nodes serve besides these, and can carry what these carried."""
        return self.leaves_enough(taken) and self.leaves_headroom(taken)

    def leaves_enough(self, taken: list[str]) -> bool:
        """Say whether enough nodes serve besides these; ones out of scope that serve count too."""
        return len(self._others(taken)) >= self.policy.min_healthy

    def leaves_headroom(self, taken: list[str]) -> bool:
        """Say whether the nodes besides these can carry the whole load, with some to spare.

        A node without a maxconn carries any; a queue before all nodes means that nothing is spare.
        """
        if self.queued:
            return False
        others = self._others(taken)
        if not others or any(look.pool.capacity is None for look in others):
            return True
        capacity = sum(look.pool.capacity or 0 for look in others)
        load = sum(look.pool.in_flight for look in self.looks.values() if is_serving(look))
        return load <= capacity * self.policy.headroom

    def _others(self, taken: list[str]) -> list[NodeLook]:
        # HAProxy takes every node for up when it has just started: its app must answer us as well.
        gone = {*taken, *self.out_of_pool}
        others = [look for name, look in self.looks.items() if name not in gone]
        return [look for look in others if is_serving(look) and look.answer.came]

    @property
    def out_of_pool(self) -> set[str]:
        """The nodes on which an act runs that takes them out, or away from us."""
        return {name for name, kind in self.busy.items() if kind not in _WHILE_SERVING}
