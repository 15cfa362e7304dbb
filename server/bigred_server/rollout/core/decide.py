"""The decision: from a deployment, a look and the policy to the acts that are due now.

Pure: no clock, no network, no memory. Called after every look; it must be right whatever happened
in between, and must never do two things to a node that one look does not justify.
"""

from collections.abc import Callable

from bigred_broker.messages import Phase
from bigred_server.model.hook import Hook, HookState
from bigred_server.rollout.core import sentences
from bigred_server.rollout.core.decision import Call, Decision
from bigred_server.rollout.core.forward import forward
from bigred_server.rollout.core.prepare import prepare
from bigred_server.rollout.core.rollback import back
from bigred_server.rollout.core.view import View


def decide(view: View) -> Decision:
    """Say what is due."""
    phase = view.record.phase
    if phase.is_outcome:
        return Decision(phase)
    if phase is Phase.PREPARING:
        return prepare(view)
    if phase is Phase.ROLLING_BACK:
        return _end(view, _on_nodes(view, back))
    return _failed(view) or _end(view, _on_nodes(view, forward))


def _on_nodes(view: View, way: Callable[[View], Decision]) -> Decision:
    if view.record.nodes and not view.nodes:
        return Decision(Phase.FAILED, reason=sentences.NO_NODES)
    return way(view)


def _end(view: View, decision: Decision) -> Decision:
    """Have the hook `on_failure` run before a deployment ends badly, and wait for it."""
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
    """Stay with the failure that the hook was told of, whatever is seen or asked since.

    Only where there is no way back; a rollback goes on until every node is safe.
    """
    match view.deployment.hooks.get(Hook.ON_FAILURE):
        case None:
            return None
        case HookState.RUNNING:
            return Decision(view.record.phase)
        case _:
            return Decision(Phase.FAILED)
