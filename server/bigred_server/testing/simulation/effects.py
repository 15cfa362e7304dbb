"""The effects of a rollout's actions on a simulated fleet."""

from bigred_server.model import disk_space
from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.observation import Admin
from bigred_server.testing.simulation.node import SimulatedNode
from bigred_server.testing.simulation.world import World

_STATES = {
    ActionKind.DRAIN: Admin.DRAIN,
    ActionKind.MAINT: Admin.MAINT,
    ActionKind.READY: Admin.READY,
    ActionKind.ADMIT: Admin.DRAIN,
}
# How long the Manager tries to start an app that never starts, in seconds.
_FAILING_S = 2.0


def do(fleet: World, action: Action) -> str:
    """Perform an action; return why it failed, or ""."""
    node, now_s = fleet.nodes[action.node], fleet.clock()
    match action.kind:
        case ActionKind.STOP:
            # Only the process that it asked to stop: another may have been started since.
            if node.stopping:
                node.end()
        case ActionKind.FETCH:
            return _fetch(node, action)
        case ActionKind.SWAP:
            node.digest = action.target.digest
        case ActionKind.START:
            node.start(now_s)
        case ActionKind.DEPLOY:
            return node.deploy(action.version, action.target.digest, now_s)
        case ActionKind.UNDEPLOY:
            return node.undeploy(action.version)
        case ActionKind.CUT:
            for server in fleet.pool.of(action.node):
                server.requests.clear()
        case ActionKind.DRAIN | ActionKind.MAINT | ActionKind.READY | ActionKind.ADMIT:
            return fleet.pool.set_state(action.node, _STATES[action.kind], now_s)
    return ""


def _fetch(node: SimulatedNode, action: Action) -> str:
    if node.kept is None:
        return "only HTTP reaches this node"
    if action.target.digest not in node.kept:
        if node.free < disk_space.on_a_node(action.target.size):
            return "its disk is full"
        node.kept.add(action.target.digest)
    return ""


def starting_s(fleet: World, action: Action) -> float:
    """Return how long the app takes to start, for an action that waits for it."""
    if action.kind is not ActionKind.DEPLOY:
        return 0.0
    build = fleet.builds[action.target.digest]
    return build.start_s if build.starts else _FAILING_S
