"""The way back: every node returns to the previous release."""

from bigred_broker.messages import Phase
from bigred_server.rollout.core import sentences
from bigred_server.rollout.core.batch import actions
from bigred_server.rollout.core.decision import Decision
from bigred_server.rollout.core.node_fault import fault
from bigred_server.rollout.core.node_phase import NodePhase
from bigred_server.rollout.core.view import View


def turn_back(view: View, reason: str, *, blames_build: bool) -> Decision:
    """Begin the way back, or say why there is none."""
    deployment = view.deployment
    if deployment.record.mends is not None:
        return Decision(Phase.FAILED, reason=reason)
    if not deployment.record.nodes:
        return Decision(Phase.ABORTED, reason=reason)
    if deployment.previous is None:
        return Decision(Phase.FAILED, reason=sentences.no_rollback_target(reason))
    return Decision(Phase.ROLLING_BACK, reason=reason, blames_build=blames_build)


def back(view: View) -> Decision:
    """Bring the nodes back one at a time, the last one first; a node that fails is left."""
    deployment, node_phases = view.deployment, view.node_phases
    if view.is_stuck:
        return Decision(Phase.FAILED, reason=stuck(view))
    if view.is_blind:
        return Decision(deployment.record.phase)
    faults = [f for name in view.nodes if (f := fault(view, name, node_phases[name]))]
    lost = {found.node for found in faults}
    left = tuple(name for name in reversed(view.nodes) if name not in lost)
    if view.busy or any(node_phases[name] is not NodePhase.SERVING for name in left):
        return Decision(deployment.record.phase, actions(view, left, batch=1))
    if faults:
        return Decision(Phase.FAILED, reason=sentences.lost_nodes([f.text for f in faults]))
    return Decision(Phase.ROLLED_BACK)


def stuck(view: View) -> str:
    """Say that nothing moves any more, and where."""
    node_phases = view.node_phases.items()
    left = {name: where for name, where in node_phases if where is not NodePhase.SERVING}
    return sentences.stuck(view.policy.progress_s, left)
