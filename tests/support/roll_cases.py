"""What `./bigred bench roll` measures, and what it wants. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from bigred_server.rollout.core.policy import share
from bigred_server.rollout.core.target import Strategy

SLOW_S = 5.0

_MOST_S = {(Strategy.REDEPLOY, 4): 1.0, (Strategy.PARALLEL, 4): 0.8}


class Way(StrEnum):
    """Who deploys, and how."""

    BIGRED = "Bigred, 200 warm-up requests"
    BIGRED_COLD = "Bigred, no warm-up"
    BY_HAND = "by hand"
    BY_HAND_TWO = "by hand, two at a time"
    PUT = "Manager by hand, nothing else"
    ANSIBLE = "Ansible, community.general.haproxy"
    ANCESTOR = "the ancestor, HAProxy plain"

    @property
    def is_ours(self) -> bool:
        """Whether Bigred does it."""
        return self in (Way.BIGRED, Way.BIGRED_COLD)

    @property
    def option(self) -> str:
        """What `--peers` calls it: "hand" for all that are done by hand; "" for Bigred."""
        if self.is_ours:
            return ""
        return {Way.ANSIBLE: "ansible", Way.ANCESTOR: "ancestor"}.get(self, "hand")


# About as long as a restarted node takes, and all that is around a deployment.
_NODE_S = {
    Way.BIGRED: 4.0,
    Way.BIGRED_COLD: 3.0,
    Way.BY_HAND: 2.0,
    Way.BY_HAND_TWO: 1.5,
    Way.ANSIBLE: 8.0,
    Way.ANCESTOR: 1.5,
}
_AROUND_S = 6.0


@dataclass(frozen=True)
class RollCase:
    """A site: its strategy, its nodes, and whether some requests take up to 5 s."""

    strategy: Strategy
    nodes: int
    slow: bool = False

    def __str__(self) -> str:
        requests = f"some {SLOW_S:.0f} s requests" if self.slow else "fast requests"
        return f"{self.strategy}, {self.nodes} nodes, {requests}"

    @property
    def at_a_time(self) -> int:
        """How many nodes Bigred's default for `min_healthy` lets go at once."""
        return self.nodes - share(None, self.nodes)

    def ways(self) -> tuple[Way, ...]:
        """Return who deploys here. Ansible and the ancestor only restart, under fast requests."""
        if self.strategy is Strategy.REDEPLOY:
            return (Way.BIGRED, Way.BIGRED_COLD, Way.BY_HAND, Way.PUT)
        if self.strategy is Strategy.PARALLEL:
            return (Way.BIGRED, Way.BIGRED_COLD, Way.PUT)
        two = (Way.BY_HAND_TWO,) if self.at_a_time > 1 else ()
        scripts = (Way.BIGRED, Way.BIGRED_COLD, Way.BY_HAND, *two)
        return scripts if self.slow else (*scripts, Way.ANSIBLE, Way.ANCESTOR)

    def expected_s(self, way: Way) -> float:
        """Return about how long one run takes on two cores, with the load and the server for it."""
        if self.strategy is not Strategy.RESTART:
            return _AROUND_S + self.nodes * (1.2 if way is Way.BIGRED else 0.5)
        waited_s = 0.6 * SLOW_S if self.slow else 0.0
        around_s = _AROUND_S + (SLOW_S if self.slow else 0.0)
        return around_s + self.nodes * (_NODE_S[way] + waited_s)

    def peer(self) -> Way:
        """Return what Bigred is compared with."""
        if self.strategy is not Strategy.RESTART:
            return Way.PUT
        return Way.BY_HAND_TWO if self.at_a_time > 1 else Way.BY_HAND

    def most_factor(self, way: Way) -> float | None:
        """Return how many times as long as its peer a way may take."""
        if self.strategy is not Strategy.RESTART or not way.is_ours:
            return None
        if self.slow:
            return 1.1 if way is Way.BIGRED_COLD else None
        return 1.2 if way is Way.BIGRED_COLD else 1.35

    def most_s(self, way: Way) -> float | None:
        """Return how long a way may take."""
        return _MOST_S.get((self.strategy, self.nodes)) if way is Way.BIGRED_COLD else None
