"""The way forward: canary, the other nodes, the last watch; held, and gone on with."""

from bigred_broker.messages import Phase
from bigred_server.model.command import Command
from bigred_server.model.hold_reason import HeldFor
from bigred_server.rollout.core import finish, hold, sentences, verdict_policy
from bigred_server.rollout.core.batch import actions, closing
from bigred_server.rollout.core.decision import Decision
from bigred_server.rollout.core.node_fault import Fault, fault
from bigred_server.rollout.core.node_phase import NodePhase
from bigred_server.rollout.core.policy import OnDeadline
from bigred_server.rollout.core.rollback import stuck, turn_back
from bigred_server.rollout.core.view import View

_SETTLED = frozenset({NodePhase.SERVING, NodePhase.TAKING})


def forward(view: View) -> Decision:
    """Say what is due in a deployment that goes forward, or is held."""
    if (asked := _commanded(view)) is not None:
        return asked
    phase = view.record.phase
    if (judged_so := verdict_policy.objected(view) or hold.over(view)) is not None:
        return judged_so
    if view.is_stuck and _is_in_progress(view):
        return _stuck(view)
    if view.is_blind or not view.nodes:
        return Decision(phase)
    for name in view.active:
        if found := fault(view, name, view.node_phases[name]):
            return _failed(view, found)
    return _go_on(view)


def _commanded(view: View) -> Decision | None:
    command = view.record.command
    if command is None:
        return None
    reason = sentences.asked(command, view.record.commanded_by)
    match command:
        case Command.HOLD:
            return Decision(Phase.HOLDING, reason=reason, held_for=HeldFor.ASKED)
        case Command.CONTINUE:
            return Decision(hold.resumed(view), tolerates=verdict_policy.tolerated(view))
        case _ if view.record.mends is not None:
            return _stop_repair(view, command)
        case Command.ROLLBACK:
            return turn_back(view, reason, blames_build=True)
        case Command.ABORT:
            return turn_back(view, reason, blames_build=False)


def _stop_repair(view: View, command: Command) -> Decision:
    # A node in hand is only safe when it is finished: it was out of order before we came.
    if view.busy or any(where not in _SETTLED for where in view.node_phases.values()):
        return Decision(view.record.phase, finding=sentences.finished_first(command))
    return Decision(Phase.ABORTED, reason=sentences.ASKED_TO_STOP)


def _is_in_progress(view: View) -> bool:
    """Whether a node should be coming on: always, but for a hold with none in hand."""
    node_phases = [view.node_phases[name] for name in view.active]
    if view.record.phase is Phase.HOLDING:
        return any(where not in _SETTLED for where in node_phases)
    return any(where is not NodePhase.SERVING for where in node_phases) or not finish.are_out(view)


def _stuck(view: View) -> Decision:
    waiting = [name for name in view.active if view.node_phases[name] is NodePhase.TAKING]
    others = [name for name in view.active if view.node_phases[name] not in _SETTLED]
    would_end = view.policy.on_hold_deadline is OnDeadline.ROLLBACK
    if would_end and waiting and not others and not view.leaves_headroom(waiting[:1]):
        # Nobody's fault: there is too much to do for one node less.
        return Decision(Phase.HOLDING, reason=sentences.NO_HEADROOM, held_for=HeldFor.LOAD)
    return turn_back(view, stuck(view), blames_build=False)


def _failed(view: View, found: Fault) -> Decision:
    """Tell a node that fails by itself from a build that fails: the first is set aside, once."""
    if not _may_set_aside(view, found):
        is_second = bool(view.record.set_aside)
        return turn_back(view, found.text, blames_build=found.blames_build or is_second)
    return Decision(
        view.record.phase,
        set_aside=(*view.record.set_aside, found.node),
        finding=sentences.set_aside(found.text),
    )


def _may_set_aside(view: View, found: Fault) -> bool:
    if view.record.set_aside or view.record.mends is not None:
        return False
    where = view.node_phases[found.node]
    others = [name for name in view.active if name != found.node]
    # Requests that do not end are no fault of the node's; the policy has said what to do then.
    if where is NodePhase.DRAINING:
        return False
    # Without it the others must be enough, also while one more of them is taken.
    is_done = all(view.node_phases[name] is NodePhase.SERVING for name in others)
    if len(others) - (0 if is_done else 1) < max(1 if is_done else 0, view.policy.min_healthy):
        return False
    passed_elsewhere = any(view.node_phases[name] is NodePhase.SERVING for name in others)
    return passed_elsewhere or not found.blames_build


def _go_on(view: View) -> Decision:
    deployment, node_phases = view.deployment, view.node_phases
    phase, active = deployment.record.phase, view.active
    if phase is Phase.HOLDING:
        return Decision(phase, (*actions(view, active, batch=0), *closing(view)))
    serving = [name for name in active if node_phases[name] is NodePhase.SERVING]
    if len(serving) == len(active):
        return finish.finish(view)
    if phase is Phase.CANARY:
        canaries, bake_s = active[: view.policy.canary], view.policy.canary_bake_s
        if any(name not in serving for name in canaries):
            return Decision(phase, (*actions(view, canaries, batch=1), *closing(view)))
        follows = Decision(Phase.ROLLING, closing(view))
    else:
        canaries, bake_s = tuple(serving), view.policy.batch_bake_s
        follows = Decision(phase, (*actions(view, active, view.policy.batch), *closing(view)))
    return _watched(view, canaries, bake_s) or follows


def _watched(view: View, nodes: tuple[str, ...], bake_s: float) -> Decision | None:
    """Have no further node follow before these were watched; None when they were, or are none."""
    meanwhile = Decision(view.record.phase, (*actions(view, view.active, batch=0), *closing(view)))
    if not view.is_baked(nodes, bake_s):
        return meanwhile
    if not nodes or verdict_policy.is_cleared(view):
        return None
    looked_s = min(map(view.waited_s, nodes)) - bake_s
    return verdict_policy.doubted(view, looked_s) or meanwhile
