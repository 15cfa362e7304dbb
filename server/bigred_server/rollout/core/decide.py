"""The decision: which actions are due now, given a deployment, a look and the policy.

Pure: no clock, no network, no memory. It is called after every look and must be right whatever
happened in between. It must never order two actions on a node when the look justifies only one.
"""

from collections.abc import Callable

from bigred_broker.messages import Phase
from bigred_server.model.hook import Hook, HookState
from bigred_server.rollout.core import sentences
from bigred_server.rollout.core.decision import Call, Decision
from bigred_server.rollout.core.forward import forward
from bigred_server.rollout.core.prepare import prepare
from bigred_server.rollout.core.rollback import roll_back
from bigred_server.rollout.core.view import View


def decide(view: View) -> Decision:
    """Return what is due."""
    phase = view.record.phase
    if phase.is_outcome:
        return Decision(phase)
    if phase is Phase.PREPARING:
        return prepare(view)
    if phase is Phase.ROLLING_BACK:
        return _end(view, _on_nodes(view, roll_back))
    return _failed(view) or _end(view, _on_nodes(view, forward))


def _on_nodes(view: View, direction: Callable[[View], Decision]) -> Decision:
    if view.record.nodes and not view.nodes:
        return Decision(Phase.FAILED, reason=sentences.NO_NODES)
    return direction(view)


def _end(view: View, decision: Decision) -> Decision:
    """Before a deployment fails or is rolled back, run the hook `on_failure` and wait for it."""
    deployment = view.deployment
    if decision.phase not in (Phase.FAILED, Phase.ROLLED_BACK) or view.record.mends is not None:
        return decision
    if Hook.ON_FAILURE not in view.policy.hooks:
        return decision
    match deployment.hooks.get(Hook.ON_FAILURE):
        case None:
            call = Call(Hook.ON_FAILURE, decision.phase, decision.reason)
            return Decision(deployment.record.phase, reason=decision.reason, hook=call)
        case HookState.RUNNING:
            return Decision(deployment.record.phase)
        case _:
            return decision


def _failed(view: View) -> Decision | None:
    """Stick to the failure that the hook was called for, whatever was seen or asked for since.

    This applies only where no rollback is possible; a rollback continues until every node is safe.
    """
    match view.deployment.hooks.get(Hook.ON_FAILURE):
        case None:
            return None
        case HookState.RUNNING:
            return Decision(view.record.phase)
        case _:
            return Decision(Phase.FAILED)
