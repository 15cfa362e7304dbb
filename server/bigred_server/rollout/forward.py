"""The way forward: canary, the other nodes, the last watch; held, and gone on with."""

from dataclasses import replace

from bigred_broker.messages import Phase
from bigred_server.rollout import sentences
from bigred_server.rollout.back import stuck, turn_back
from bigred_server.rollout.command import Command
from bigred_server.rollout.decision import Call, Decision
from bigred_server.rollout.fault import Fault, fault
from bigred_server.rollout.hook import Hook, HookState
from bigred_server.rollout.look import Admin
from bigred_server.rollout.policy import OnDeadline
from bigred_server.rollout.station import BUILD_STATIONS, Station
from bigred_server.rollout.take import acts, closing
from bigred_server.rollout.view import View, is_serving

_SETTLED = frozenset({Station.SERVING, Station.TAKING})


def forward(view: View) -> Decision:
    """Say what is due in a deployment that goes forward, or is held."""
    if (asked := _commanded(view)) is not None:
        return asked
    phase = view.deployment.phase
    if phase is Phase.HOLDING and (over := _held_too_long(view)) is not None:
        return over
    if view.is_stuck and _is_under_way(view):
        return _stuck(view)
    if view.is_blind or not view.nodes:
        return Decision(phase)
    for name in view.active:
        if found := fault(view, name, view.stations[name]):
            return _failed(view, found)
    return _go_on(view)


def _commanded(view: View) -> Decision | None:
    match view.deployment.command:
        case None:
            return None
        case Command.HOLD:
            return Decision(Phase.HOLDING, reason=sentences.HOLD_ASKED)
        case Command.CONTINUE:
            return Decision(_resumed(view))
        case command if view.deployment.mends is not None:
            return _stop_mending(view, command)
        case Command.ROLLBACK:
            return turn_back(view, sentences.ROLLBACK_ASKED, blames_build=True)
        case Command.ABORT:
            return turn_back(view, sentences.ABORT_ASKED, blames_build=False)


def _resumed(view: View) -> Phase:
    """Say in which phase a held deployment goes on."""
    if not view.deployment.nodes:
        return Phase.PREPARING
    stations = view.stations
    canaries = view.active[: view.policy.canary]
    if any(stations[name] is not Station.SERVING for name in canaries):
        return Phase.CANARY
    return Phase.ROLLING


def _stop_mending(view: View, command: Command) -> Decision:
    # A node in hand is only safe when it is finished: it was out of order before we came.
    if view.busy or any(where not in _SETTLED for where in view.stations.values()):
        return Decision(view.deployment.phase, finding=sentences.finished_first(command))
    return Decision(Phase.ABORTED, reason=sentences.ASKED_TO_STOP)


def _held_too_long(view: View) -> Decision | None:
    policy = view.policy
    if view.now_s - view.phase_since_s <= policy.hold_s:
        return None
    if policy.on_hold_deadline is OnDeadline.CONTINUE:
        return Decision(_resumed(view), reason=sentences.hold_is_over(policy.hold_s))
    return turn_back(view, sentences.hold_is_over(policy.hold_s), blames_build=False)


def _is_under_way(view: View) -> bool:
    """Whether a node should be coming on: always, but for a hold with none in hand."""
    stations = [view.stations[name] for name in view.active]
    if view.deployment.phase is Phase.HOLDING:
        return any(where not in _SETTLED for where in stations)
    return any(where is not Station.SERVING for where in stations) or not _are_out(view)


def _stuck(view: View) -> Decision:
    waiting = [name for name in view.active if view.stations[name] is Station.TAKING]
    others = [name for name in view.active if view.stations[name] not in _SETTLED]
    would_end = view.policy.on_hold_deadline is OnDeadline.ROLLBACK
    if would_end and waiting and not others and not view.leaves_room(waiting[:1]):
        # Nobody's fault: there is too much to do for one node less.
        return Decision(Phase.HOLDING, reason=sentences.NO_HEADROOM)
    return turn_back(view, stuck(view), blames_build=False)


def _failed(view: View, found: Fault) -> Decision:
    """Tell a node that fails by itself from a build that fails: the first is set aside, once."""
    if not _may_set_aside(view, found):
        is_second = bool(view.deployment.set_aside)
        return turn_back(view, found.text, blames_build=found.blames_build or is_second)
    return Decision(
        view.deployment.phase,
        set_aside=(*view.deployment.set_aside, found.node),
        finding=sentences.set_aside(found.text),
    )


def _may_set_aside(view: View, found: Fault) -> bool:
    if view.deployment.set_aside or view.deployment.mends is not None:
        return False
    where = view.stations[found.node]
    others = [name for name in view.active if name != found.node]
    # Requests that do not end are no fault of the node's; the policy has said what to do then.
    if where is Station.DRAINING:
        return False
    # Without it the others must be enough, also while one more of them is taken.
    is_done = all(view.stations[name] is Station.SERVING for name in others)
    if len(others) - (0 if is_done else 1) < max(1 if is_done else 0, view.policy.min_healthy):
        return False
    passed_elsewhere = any(view.stations[name] is Station.SERVING for name in others)
    return passed_elsewhere or where not in BUILD_STATIONS


def _go_on(view: View) -> Decision:
    deployment, stations = view.deployment, view.stations
    phase, active = deployment.phase, view.active
    if phase is Phase.HOLDING:
        return Decision(phase, (*acts(view, active, batch=0), *closing(view)))
    serving = [name for name in active if stations[name] is Station.SERVING]
    if len(serving) == len(active):
        return _all_serve(view)
    if phase is Phase.CANARY:
        canaries = active[: view.policy.canary]
        if all(name in serving for name in canaries):
            is_baked = _is_baked(view, canaries, view.policy.canary_bake_s)
            return Decision(Phase.ROLLING if is_baked else phase, closing(view))
        return Decision(phase, (*acts(view, canaries, batch=1), *closing(view)))
    batch = view.policy.batch if _is_baked(view, serving, view.policy.batch_bake_s) else 0
    return Decision(phase, (*acts(view, active, batch), *closing(view)))


def _is_baked(view: View, serving: list[str] | tuple[str, ...], bake_s: float) -> bool:
    return all(view.waited_s(name) >= bake_s for name in serving)


def _all_serve(view: View) -> Decision:
    """End a deployment, when nobody is left behind, the last watch is over and the hook has run."""
    phase, policy = view.deployment.phase, view.policy
    if view.busy:
        return Decision(phase)
    if back_again := _returned(view):
        left = tuple(name for name in view.deployment.skipped if name not in back_again)
        nodes = (*view.deployment.nodes, *back_again)
        return Decision(Phase.ROLLING, nodes=nodes, skipped=left)
    if (doors := closing(view)) or not _are_out(view):
        return Decision(phase, doors)
    if policy.last_bake_s and view.deployment.mends is None:
        if phase is not Phase.BAKING:
            return Decision(Phase.BAKING)
        since_s = view.now_s - view.phase_since_s
        if since_s < policy.last_bake_s or not _is_baked(view, view.active, policy.last_bake_s):
            return Decision(phase)
    return _after(view)


def _returned(view: View) -> tuple[str, ...]:
    """Name the nodes that were down at the beginning and serve by now, with whatever they have."""
    looks = view.looks
    return tuple(
        name
        for name in view.deployment.skipped
        if name in looks and is_serving(looks[name]) and looks[name].answer.came
    )


def _are_out(view: View) -> bool:
    looks = [view.looks[name] for name in view.deployment.set_aside if name in view.looks]
    return all(look.admin is Admin.MAINT for look in looks)


def _after(view: View) -> Decision:
    succeeded = Decision(Phase.SUCCEEDED)
    if Hook.AFTER not in view.policy.hooks or view.deployment.mends is not None:
        return succeeded
    match view.deployment.hooks.get(Hook.AFTER):
        case None:
            return Decision(view.deployment.phase, hook=Call(Hook.AFTER))
        case HookState.RUNNING:
            return Decision(view.deployment.phase)
        case HookState.DONE:
            return succeeded
        case HookState.FAILED:
            return replace(succeeded, reason=sentences.AFTER_FAILED)
        case HookState.INTERRUPTED:
            return replace(succeeded, reason=sentences.AFTER_INTERRUPTED)
