"""The end of a successful deployment: no node left behind, last bake, hook `after`. Pure."""

from dataclasses import replace

from bigred_broker.messages import Phase
from bigred_server.model.hook import Hook, HookState
from bigred_server.rollout.core import sentences, verdict_policy
from bigred_server.rollout.core.availability import is_serving
from bigred_server.rollout.core.batch import closing
from bigred_server.rollout.core.decision import Call, Decision
from bigred_server.rollout.core.observation import Admin
from bigred_server.rollout.core.view import View


def finish(view: View) -> Decision:
    """End a deployment once no node is left behind, the last bake is over and the hook has run."""
    phase = view.record.phase
    if view.busy:
        return Decision(phase)
    if returned := _returned(view):
        left = tuple(name for name in view.record.skipped if name not in returned)
        nodes = (*view.record.nodes, *returned)
        return Decision(Phase.ROLLING, nodes=nodes, skipped=left)
    if (closings := closing(view)) or not are_out(view):
        return Decision(phase, closings)
    return _bake(view) or _after(view)


def _bake(view: View) -> Decision | None:
    """Bake all nodes one last time, for as long as the policy says and the judge needs."""
    phase, last_s = view.record.phase, view.policy.last_bake_s
    if view.record.mends is not None:
        return None
    if phase is not Phase.BAKING:
        return Decision(Phase.BAKING) if last_s or not verdict_policy.is_cleared(view) else None
    since_s = view.now_s - view.phase_since_s
    if since_s < last_s or not view.is_baked(view.active, last_s):
        return Decision(phase)
    if verdict_policy.is_cleared(view):
        return None
    return verdict_policy.doubted(view, since_s - last_s) or Decision(phase)


def _returned(view: View) -> tuple[str, ...]:
    """Name the nodes that were down at the start and now serve, with whatever release."""
    looks = view.looks
    return tuple(
        name
        for name in view.record.skipped
        if name in looks and is_serving(looks[name]) and looks[name].answer.came
    )


def are_out(view: View) -> bool:
    """Return whether every node that was set aside is out of the pool."""
    looks = [view.looks[name] for name in view.record.set_aside if name in view.looks]
    return all(look.pool.admin is Admin.MAINT for look in looks)


def _after(view: View) -> Decision:
    succeeded = Decision(Phase.SUCCEEDED)
    if Hook.AFTER not in view.policy.hooks or view.record.mends is not None:
        return succeeded
    match view.deployment.hooks.get(Hook.AFTER):
        case None:
            return Decision(view.record.phase, hook=Call(Hook.AFTER))
        case HookState.RUNNING:
            return Decision(view.record.phase)
        case HookState.DONE:
            return succeeded
        case HookState.FAILED:
            return replace(succeeded, reason=sentences.AFTER_FAILED)
        case HookState.INTERRUPTED:
            return replace(succeeded, reason=sentences.AFTER_INTERRUPTED)
