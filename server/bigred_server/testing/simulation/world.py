"""What the effects and the rules of a simulation see of its fleet."""

from collections.abc import Callable, Mapping
from typing import Protocol

from bigred_server.rollout.core.policy import Policy
from bigred_server.testing.simulation.build import SimulatedBuild
from bigred_server.testing.simulation.node import SimulatedNode
from bigred_server.testing.simulation.pool import SimulatedPool


class World(Protocol):
    """Nodes, the HAProxies before them, the policy they are deployed by, and the time."""

    builds: Mapping[str, SimulatedBuild]
    nodes: dict[str, SimulatedNode]
    pool: SimulatedPool
    policy: Policy

    @property
    def clock(self) -> Callable[[], float]:
        """What tells the time, in seconds."""
