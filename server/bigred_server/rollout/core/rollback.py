"""The rollback: every node returns to the previous release."""

from bigred_broker.messages import Phase
from bigred_server.rollout.core import sentences
from bigred_server.rollout.core.action import ActionKind
from bigred_server.rollout.core.batch import actions
from bigred_server.rollout.core.decision import Decision
from bigred_server.rollout.core.node_fault import fault
from bigred_server.rollout.core.node_phase import NodePhase
from bigred_server.rollout.core.view import View


def begin_rollback(view: View, reason: str, *, blames_build: bool) -> Decision:
    """Begin a rollback, or end the deployment if none is needed or possible."""
    deployment = view.deployment
    if deployment.record.mends is not None:
        return Decision(Phase.FAILED, reason=reason)
    if not deployment.record.nodes:
        return Decision(Phase.ABORTED, reason=reason)
    if deployment.previous is None:
        return Decision(Phase.FAILED, reason=sentences.no_rollback_target(reason))
    return Decision(Phase.ROLLING_BACK, reason=reason, blames_build=blames_build)


def roll_back(view: View) -> Decision:
    """Roll the nodes back one at a time, the last one first; leave out a node that fails."""
    deployment, node_phases = view.deployment, view.node_phases
    if view.is_stuck:
        return Decision(Phase.FAILED, reason=stuck(view))
    if view.is_blind:
        return Decision(deployment.record.phase)
    faults = [f for name in view.nodes if (f := fault(view, name, node_phases[name]))]
    lost = {found.node for found in faults}
    left = tuple(name for name in reversed(view.nodes) if name not in lost)
    # A node may still fetch ahead what nobody needs any more, while it serves.
    busy = [name for name, kind in view.busy.items() if kind is not ActionKind.FETCH]
    if busy or any(node_phases[name] is not NodePhase.SERVING for name in left):
        return Decision(deployment.record.phase, actions(view, left, batch=1))
    if faults:
        return Decision(Phase.FAILED, reason=sentences.lost_nodes([f.text for f in faults]))
    return Decision(Phase.ROLLED_BACK)


def stuck(view: View) -> str:
    """Return the reason for giving up: no node progresses, and where each is stuck."""
    node_phases = view.node_phases.items()
    left = {name: phase for name, phase in node_phases if phase is not NodePhase.SERVING}
    return sentences.stuck(view.policy.progress_s, left)
