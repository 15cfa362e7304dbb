"""All that a decision is made from, and the questions it asks of it."""

from dataclasses import dataclass

from bigred_broker.messages import Phase
from bigred_server.rollout.act import Busy
from bigred_server.rollout.deployment import Deployment
from bigred_server.rollout.goal import Goal
from bigred_server.rollout.look import Admin, Looks, NodeLook
from bigred_server.rollout.policy import Policy
from bigred_server.rollout.station import Station, station
from bigred_server.rollout.waits import Waits, last_progress_s

_BACKWARDS = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK})


def wanted(deployment: Deployment) -> Goal:
    """Say what the nodes are to run in the deployment's present phase."""
    if deployment.phase in _BACKWARDS and deployment.previous is not None:
        return deployment.previous
    return deployment.goal


def is_serving(look: NodeLook) -> bool:
    """Say whether HAProxy sends requests to the node."""
    return look.admin is Admin.READY and look.up


@dataclass(frozen=True)
class View:
    """A deployment, one look, the clocks (monotonic seconds), acts still running, the policy."""

    deployment: Deployment
    looks: Looks
    waits: Waits
    busy: Busy
    policy: Policy
    now_s: float

    @property
    def goal(self) -> Goal:
        """What the nodes are to run now."""
        return wanted(self.deployment)

    @property
    def goes_back(self) -> bool:
        """Whether a rollback is on its way."""
        return self.deployment.phase is Phase.ROLLING_BACK

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes in scope, without any that left the configuration meanwhile."""
        return tuple(name for name in self.deployment.nodes if name in self.looks)

    @property
    def stations(self) -> dict[str, Station]:
        """Where each node in scope stands."""
        return {name: station(self.looks[name], self.goal) for name in self.nodes}

    @property
    def is_blind(self) -> bool:
        """Whether HAProxy can't be read: then no node is touched."""
        return any(self.looks[name].admin is Admin.UNKNOWN for name in self.nodes)

    @property
    def is_stuck(self) -> bool:
        """Whether no node has come further for longer than the policy bears."""
        since_s = last_progress_s(self.waits, self.nodes)
        return self.now_s - since_s > self.policy.progress_s

    def waited_s(self, name: str) -> float:
        """Give how long a node stands where it stands."""
        return self.now_s - self.waits[name].since_s

    def may_take(self, taken: list[str]) -> bool:
        """Say whether enough nodes serve besides these; ones out of scope that serve count too.

        HAProxy takes every node for up when it has just started: its app must answer us as well.
        """
        gone = {*taken, *self.busy}
        others = [look for name, look in self.looks.items() if name not in gone]
        serving = [look for look in others if is_serving(look) and look.answer.came]
        return len(serving) >= self.policy.min_healthy
