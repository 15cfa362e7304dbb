"""What the acts of a rollout do to a simulated fleet."""

from typing import TYPE_CHECKING

from bigred_server.model import disk_space
from bigred_server.rollout.core.action import Act, Kind
from bigred_server.rollout.core.observation import Admin
from bigred_server.testing.simulation.node import SimulatedNode

if TYPE_CHECKING:
    from bigred_server.testing.simulation.fleet import SimulatedFleet

_STATES = {
    Kind.DRAIN: Admin.DRAIN,
    Kind.MAINT: Admin.MAINT,
    Kind.READY: Admin.READY,
    Kind.ADMIT: Admin.DRAIN,
}
# How long the Manager tries with an app that never starts, in seconds.
_IN_VAIN_S = 2.0


def do(fleet: "SimulatedFleet", act: Act) -> str:
    """Do an act; give why it failed, or ""."""
    node, now_s = fleet.nodes[act.node], fleet.clock()
    match act.kind:
        case Kind.STOP:
            # Only the process that it told to end: another may have been started since.
            if node.stopping:
                node.end()
        case Kind.FETCH:
            return _fetch(node, act)
        case Kind.SWAP:
            node.digest = act.goal.digest
        case Kind.START:
            node.start(now_s)
        case Kind.DEPLOY:
            return node.deploy(act.version, act.goal.digest, now_s)
        case Kind.UNDEPLOY:
            return node.undeploy(act.version)
        case Kind.CUT:
            for server in fleet.pool.of(act.node):
                server.requests.clear()
        case Kind.DRAIN | Kind.MAINT | Kind.READY | Kind.ADMIT:
            return fleet.pool.set_state(act.node, _STATES[act.kind], now_s)
    return ""


def _fetch(node: SimulatedNode, act: Act) -> str:
    if node.kept is None:
        return "only HTTP reaches this node"
    if act.goal.digest not in node.kept:
        if node.free < disk_space.on_a_node(act.goal.size):
            return "its disk is full"
        node.kept.add(act.goal.digest)
    return ""


def starting_s(fleet: "SimulatedFleet", act: Act) -> float:
    """Say how long the app takes to start in an act that waits for it."""
    if act.kind is not Kind.DEPLOY:
        return 0.0
    build = fleet.builds[act.goal.digest]
    return build.start_s if build.starts else _IN_VAIN_S
