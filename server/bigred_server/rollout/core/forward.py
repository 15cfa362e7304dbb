"""A deployment that moves forward: the canary, the other nodes, the last bake, and holds."""

from dataclasses import replace

from bigred_broker.messages import Phase
from bigred_server.model.command import Command
from bigred_server.model.hold_reason import HeldFor
from bigred_server.rollout.core import availability, finish, hold, sentences, verdict_policy
from bigred_server.rollout.core.batch import actions, closing
from bigred_server.rollout.core.decision import Decision
from bigred_server.rollout.core.fetch import fetches
from bigred_server.rollout.core.node_fault import Fault, fault
from bigred_server.rollout.core.node_phase import SETTLED, NodePhase
from bigred_server.rollout.core.policy import OnDeadline
from bigred_server.rollout.core.rollback import begin_rollback, stuck
from bigred_server.rollout.core.view import View


def forward(view: View) -> Decision:
    """Return what is due in a deployment that moves forward or is on hold."""
    if (commanded := _commanded(view)) is not None:
        return commanded
    phase = view.record.phase
    if (changed := verdict_policy.objected(view) or hold.over(view)) is not None:
        return changed
    if view.is_stuck and _is_in_progress(view):
        return _stuck(view)
    if view.is_blind or not view.nodes:
        return Decision(phase)
    for name in view.active:
        if found := fault(view, name, view.node_phases[name]):
            return _failed(view, found)
    return _proceed(view)


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
            return begin_rollback(view, reason, blames_build=True)
        case Command.ABORT:
            return begin_rollback(view, reason, blames_build=False)


def _stop_repair(view: View, command: Command) -> Decision:
    # A node being repaired is safe only when it is finished: it was broken when we started.
    if view.busy or any(phase not in SETTLED for phase in view.node_phases.values()):
        return Decision(view.record.phase, finding=sentences.finished_first(command))
    return Decision(Phase.ABORTED, reason=sentences.ASKED_TO_STOP)


def _is_in_progress(view: View) -> bool:
    """Whether a node should be progressing: always, except in a hold with none being updated."""
    node_phases = [view.node_phases[name] for name in view.active]
    if view.record.phase is Phase.HOLDING:
        return any(phase not in SETTLED for phase in node_phases)
    return any(phase is not NodePhase.SERVING for phase in node_phases) or not finish.are_out(view)


def _stuck(view: View) -> Decision:
    waiting = [name for name in view.active if view.node_phases[name] is NodePhase.PENDING]
    others = [name for name in view.active if view.node_phases[name] not in SETTLED]
    would_end = view.policy.on_hold_deadline is OnDeadline.ROLLBACK
    if would_end and waiting and not others and not view.leaves_headroom(waiting[:1]):
        # Nobody is to blame: the load is too high to do without one node.
        return Decision(Phase.HOLDING, reason=sentences.NO_HEADROOM, held_for=HeldFor.LOAD)
    return begin_rollback(view, stuck(view), blames_build=False)


def _failed(view: View, found: Fault) -> Decision:
    """Set aside the first node that fails by itself; a second one is the build's fault."""
    if not _may_set_aside(view, found):
        is_second = bool(view.record.set_aside)
        return begin_rollback(view, found.text, blames_build=found.blames_build or is_second)
    return Decision(
        view.record.phase,
        set_aside=(*view.record.set_aside, found.node),
        finding=sentences.set_aside(found.text),
    )


def _may_set_aside(view: View, found: Fault) -> bool:
    if view.record.set_aside or view.record.mends is not None:
        return False
    others = [name for name in view.active if name != found.node]
    # Requests that do not end are not the node's fault; the policy says what to do about them.
    if view.node_phases[found.node] is NodePhase.DRAINING:
        return False
    # The others must suffice without it, even while one more of them is being updated.
    is_done = all(view.node_phases[name] is NodePhase.SERVING for name in others)
    needed = availability.min_healthy(view.looks, view.policy)
    if len(others) - (0 if is_done else 1) < max(1 if is_done else 0, needed):
        return False
    passed_elsewhere = any(view.node_phases[name] is NodePhase.SERVING for name in others)
    return passed_elsewhere or not found.blames_build


def _proceed(view: View) -> Decision:
    phase, active, node_phases = view.record.phase, view.active, view.node_phases
    if phase is Phase.HOLDING:
        return Decision(phase, (*actions(view, active, batch=0), *closing(view)))
    serving = [name for name in active if node_phases[name] is NodePhase.SERVING]
    if len(serving) == len(active):
        return finish.finish(view)
    decision = _roll(view, serving)
    if decision.phase is Phase.HOLDING:
        return decision
    due = {action.node for action in decision.actions}
    ahead = fetches(view, tuple(name for name in active if name not in due))
    return replace(decision, actions=(*decision.actions, *ahead))


def _roll(view: View, serving: list[str]) -> Decision:
    phase, active = view.record.phase, view.active
    if phase is Phase.CANARY:
        canaries, bake_s = active[: view.policy.canary], view.policy.canary_bake_s
        if any(name not in serving for name in canaries):
            return Decision(phase, (*actions(view, canaries, batch=1), *closing(view)))
        follows = Decision(Phase.ROLLING, closing(view))
    else:
        canaries, bake_s = tuple(serving), view.policy.batch_bake_s
        follows = Decision(phase, (*actions(view, active, view.policy.batch), *closing(view)))
    return _bake(view, canaries, bake_s) or follows


def _bake(view: View, nodes: tuple[str, ...], bake_s: float) -> Decision | None:
    """Start no further node before these have baked; None if they have, or there are none."""
    meanwhile = Decision(view.record.phase, (*actions(view, view.active, batch=0), *closing(view)))
    if not view.is_baked(nodes, bake_s):
        return meanwhile
    if not nodes or verdict_policy.is_cleared(view):
        return None
    extra_s = min(map(view.waited_s, nodes)) - bake_s
    return verdict_policy.doubted(view, extra_s) or meanwhile
