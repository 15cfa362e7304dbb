"""All that a decision is made from, and the questions it asks of it."""

from dataclasses import dataclass

from bigred_broker.messages import Phase
from bigred_server.rollout.act import Busy
from bigred_server.rollout.deployment import Deployment, Goal
from bigred_server.rollout.look import Admin, Looks, NodeLook
from bigred_server.rollout.policy import Policy
from bigred_server.rollout.station import Station, station
from bigred_server.rollout.waits import Waits, last_change_s

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
    def stations(self) -> dict[str, Station]:
        """Where each node in scope stands."""
        return {name: station(self.looks[name], self.goal) for name in self.deployment.nodes}

    @property
    def is_blind(self) -> bool:
        """Whether HAProxy can't be read: then no node is touched."""
        return any(self.looks[name].admin is Admin.UNKNOWN for name in self.deployment.nodes)

    @property
    def is_stuck(self) -> bool:
        """Whether nothing has moved for longer than the policy bears."""
        return self.now_s - last_change_s(self.waits) > self.policy.progress_s

    def waited_s(self, name: str) -> float:
        """Give how long a node stands where it stands."""
        return self.now_s - self.waits[name].since_s

    def may_take(self, taken: list[str]) -> bool:
        """Say whether enough nodes serve besides these; ones out of scope that serve count too."""
        others = [look for name, look in self.looks.items() if name not in taken]
        return sum(is_serving(look) for look in others) >= self.policy.min_healthy
