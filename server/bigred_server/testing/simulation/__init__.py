"""A rollout without a network: a fleet in memory, and the rollout's loop on a virtual clock."""

from bigred_server.testing.simulation.build import SimulatedBuild
from bigred_server.testing.simulation.fleet import SimulatedFleet
from bigred_server.testing.simulation.hooks import SimulatedHooks
from bigred_server.testing.simulation.loop_clock import LoopClock
from bigred_server.testing.simulation.luck import ActionFate, Luck, RunningAction, VirtualClock
from bigred_server.testing.simulation.node import SimulatedNode
from bigred_server.testing.simulation.pool import SimulatedPool, SimulatedProxy
from bigred_server.testing.simulation.rollout import SimulatedRollout
from bigred_server.testing.simulation.rules import serves
from bigred_server.testing.simulation.server import SimulatedServer

__all__ = [
    "ActionFate",
    "LoopClock",
    "Luck",
    "RunningAction",
    "SimulatedBuild",
    "SimulatedFleet",
    "SimulatedHooks",
    "SimulatedNode",
    "SimulatedPool",
    "SimulatedProxy",
    "SimulatedRollout",
    "SimulatedServer",
    "VirtualClock",
    "serves",
]
