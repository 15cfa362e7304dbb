"""All that a decision is based on, and the questions it asks about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bigred_broker.messages import Phase
from bigred_server.judge.judgement import Judgement
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.core import availability
from bigred_server.rollout.core.action import ActionKind, Busy
from bigred_server.rollout.core.availability import Sharing, is_serving
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.node_phase import NodePhase, node_phase
from bigred_server.rollout.core.observation import Admin, Looks, NodeLook
from bigred_server.rollout.core.policy import Policy, Sessions
from bigred_server.rollout.core.progress import ProgressByNode, last_progress_s
from bigred_server.rollout.core.target import Target

_BACKWARDS = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK})
# Actions during which a node serves.
_WHILE_SERVING = frozenset({ActionKind.FETCH, ActionKind.UNDEPLOY})


def wanted(deployment: Deployment) -> Target:
    """Return the target of the nodes in the deployment's present phase."""
    if deployment.record.phase in _BACKWARDS and deployment.previous is not None:
        return deployment.previous
    return deployment.target


@dataclass(frozen=True)
class Orphan:
    """A DEPLOY begun by a server that died since.

    `digest`: of its WAR. `until_s`: until when (monotonic seconds) it may still take effect.
    """

    digest: str
    until_s: float


@dataclass(frozen=True)
class View:
    """A deployment, one look, its progress (monotonic seconds), running actions, and the policy.

    `phase_since_s`: since when the deployment has been in its phase. `queued`: requests waiting for
    any of the nodes. `judgement`: the judge's latest one, None while it is off. `orphans`: by node,
    a DEPLOY that may still take effect. `sharing`: backends with the same Tomcats that are not the
    app's.
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
    sharing: Sharing = field(default_factory=dict)

    @property
    def record(self) -> DeploymentRecord:
        """The deployment's record."""
        return self.deployment.record

    @property
    def target(self) -> Target:
        """What the nodes should run now."""
        return wanted(self.deployment)

    @property
    def is_rolling_back(self) -> bool:
        """Whether a rollback is in progress."""
        return self.record.phase is Phase.ROLLING_BACK

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The nodes in scope, without any that were removed from the configuration meanwhile."""
        return tuple(name for name in self.record.nodes if name in self.looks)

    @cached_property
    def active(self) -> tuple[str, ...]:
        """The nodes in scope that were not set aside."""
        return tuple(name for name in self.nodes if name not in self.record.set_aside)

    @cached_property
    def node_phases(self) -> dict[str, NodePhase]:
        """The phase of each node in scope."""
        return {name: node_phase(self.looks[name], self.target) for name in self.nodes}

    @property
    def is_blind(self) -> bool:
        """Whether HAProxy can't be read; then no node is touched."""
        return all(self.looks[name].pool.admin is Admin.UNKNOWN for name in self.nodes)

    @property
    def is_stuck(self) -> bool:
        """Whether no node has progressed for longer than the policy allows.

        Waits that the policy itself demands are added to the time it allows.
        """
        policy = self.policy
        allowed_s = policy.progress_s
        if not self.is_rolling_back:
            allowed_s += max(policy.canary_bake_s, policy.batch_bake_s)
            allowed_s += policy.sessions_s if policy.sessions is Sessions.WAIT else 0.0
            allowed_s += policy.judge.extend_s if policy.judge.mode.actions else 0.0
        since_s = max(last_progress_s(self.progress, self.nodes), self.phase_since_s)
        return self.now_s - since_s > allowed_s

    def may_change(self, name: str) -> bool:
        """Return whether an orphaned DEPLOY may still give a node another release than wanted."""
        orphan = self.orphans.get(name)
        if orphan is None or orphan.digest == self.target.digest:
            return False
        return self.now_s < orphan.until_s

    def waited_s(self, name: str) -> float:
        """Return how long a node has been in its phase, in seconds."""
        return self.now_s - self.progress[name].since_s

    def is_baked(self, nodes: Sequence[str], bake_s: float) -> bool:
        """Return whether all these nodes have served for at least `bake_s`."""
        return all(self.waited_s(name) >= bake_s for name in nodes)

    def may_remove(self, names: list[str]) -> bool:
        """Return whether enough other nodes serve, and can carry the load of these."""
        return self.leaves_enough(names) and self.leaves_headroom(names)

    def leaves_enough(self, names: list[str]) -> bool:
        """Return whether enough other nodes serve, including those out of scope."""
        return availability.suffice(self._others(names), names, self.looks, self.policy)

    def leaves_headroom(self, names: list[str]) -> bool:
        """Return whether the other nodes can carry the whole load, with headroom.

        A node without a maxconn carries any load; queued requests mean that there is no headroom.
        """
        if self.queued:
            return False
        others = self._others(names)
        if not others or any(look.pool.capacity is None for look in others):
            return True
        capacity = sum(look.pool.capacity or 0 for look in others)
        load = sum(look.pool.in_flight for look in self.looks.values() if is_serving(look))
        return load <= capacity * self.policy.headroom

    def _others(self, names: list[str]) -> list[NodeLook]:
        # HAProxy takes every node for up when it has just started: its app must answer us as well.
        gone = {*names, *self.out_of_pool}
        others = [look for name, look in self.looks.items() if name not in gone]
        return [look for look in others if is_serving(look) and look.answer.came]

    @property
    def out_of_pool(self) -> set[str]:
        """The nodes that a running action takes out of the pool, or may have."""
        return {name for name, kind in self.busy.items() if kind not in _WHILE_SERVING}
