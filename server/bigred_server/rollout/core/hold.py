"""A hold, and how it ends if nobody gives a command. Pure."""

from bigred_broker.messages import Phase
from bigred_server.rollout.core import sentences, verdict_policy
from bigred_server.rollout.core.decision import Decision
from bigred_server.rollout.core.node_phase import NodePhase
from bigred_server.rollout.core.policy import OnDeadline
from bigred_server.rollout.core.rollback import begin_rollback
from bigred_server.rollout.core.view import View


def over(view: View) -> Decision | None:
    """End a hold whose time is up or whose reason is gone; None while it lasts or if none is on."""
    if view.record.phase is not Phase.HOLDING:
        return None
    if (late := _held_too_long(view)) is not None:
        return late
    if verdict_policy.is_over(view):
        return Decision(resumed(view), finding=sentences.HOLD_OVER)
    return None


def resumed(view: View) -> Phase:
    """Return the phase in which a deployment on hold continues."""
    if not view.record.nodes:
        return Phase.PREPARING
    node_phases = view.node_phases
    canaries = view.active[: view.policy.canary]
    if any(node_phases[name] is not NodePhase.SERVING for name in canaries):
        return Phase.CANARY
    return Phase.ROLLING


def _held_too_long(view: View) -> Decision | None:
    policy = view.policy
    if view.now_s - view.phase_since_s <= policy.hold_s:
        return None
    if policy.on_hold_deadline is OnDeadline.CONTINUE:
        return Decision(resumed(view), reason=sentences.hold_is_over(policy.hold_s))
    return begin_rollback(view, sentences.hold_is_over(policy.hold_s), blames_build=False)
