"""The part of a simulated fleet that its effects and rules use."""

from collections.abc import Callable, Mapping
from typing import Protocol

from bigred_server.rollout.core.policy import Policy
from bigred_server.testing.simulation.build import SimulatedBuild
from bigred_server.testing.simulation.node import SimulatedNode
from bigred_server.testing.simulation.pool import SimulatedPool


class World(Protocol):
    """The nodes, the HAProxies in front of them, the deployment policy and the time."""

    builds: Mapping[str, SimulatedBuild]
    nodes: dict[str, SimulatedNode]
    pool: SimulatedPool
    policy: Policy

    @property
    def clock(self) -> Callable[[], float]:
        """Returns the time, in seconds."""
