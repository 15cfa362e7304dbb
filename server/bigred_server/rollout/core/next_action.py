"""The next action on a node that is being updated."""

from collections.abc import Callable, Mapping

from bigred_server.rollout.core import context_version
from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.node_phase import NodePhase, node_phase
from bigred_server.rollout.core.observation import Admin
from bigred_server.rollout.core.policy import OnDrainDeadline, Sessions
from bigred_server.rollout.core.target import Strategy
from bigred_server.rollout.core.view import View

_ADMITTING = frozenset({ActionKind.ADMIT, ActionKind.READY})


def next_action(view: View, name: str, phase: NodePhase) -> Action | None:
    """Return the next action on a node being updated, or None to wait."""
    if name in view.busy:
        return None
    kind = _NEXT[phase](view, name)
    if kind in _ADMITTING and view.may_change(name):
        return None
    return Action(kind, name, view.target, _version(view, name, kind)) if kind else None


def closing_kind(view: View) -> ActionKind:
    """Return how to take a node out of the pool: MAINT at once, or DRAIN so that users can stay."""
    waits = view.policy.sessions is Sessions.WAIT and not view.is_rolling_back
    return (
        ActionKind.DRAIN if waits or view.target.strategy is Strategy.PARALLEL else ActionKind.MAINT
    )


def lacks_release(view: View, name: str) -> bool:
    """Return whether the release must still be fetched to the node."""
    kept = view.looks[name].host.kept
    return kept is not None and view.target.digest not in kept


def may_try(view: View, name: str) -> bool:
    """Return whether an action may be tried: for the first time, or again after a pause."""
    progress = view.progress[name]
    return progress.tries == 0 or view.now_s - progress.tried_at_s >= view.policy.start_again_s


def _version(view: View, name: str, kind: ActionKind) -> str:
    """Name the version that an action creates or removes; "" if the app has only one."""
    versions = view.looks[name].host.versions or ()
    if view.target.strategy is not Strategy.PARALLEL:
        return ""
    if kind is ActionKind.DEPLOY:
        return context_version.following(versions, view.target.digest)
    first = context_version.newest(versions)
    return first.name if kind is ActionKind.UNDEPLOY and first else ""


def _drain(view: View, name: str) -> ActionKind | None:
    look, policy = view.looks[name], view.policy
    if look.pool.admin is Admin.DRAIN:
        # A request still in flight may start a session.
        done = closing_kind(view) is ActionKind.MAINT or (
            look.sessions == 0 and not look.pool.in_flight
        )
        return ActionKind.MAINT if done or view.waited_s(name) >= policy.sessions_s else None
    if view.waited_s(name) < policy.drain_s:
        return None
    if _cuts(view) and view.progress[name].tries == 0:
        return ActionKind.CUT
    return _NEXT[node_phase(look, view.target, drained=True)](view, name)


def _place(kind: ActionKind) -> Callable[[View, str], ActionKind | None]:
    """Return a step that puts a release in place, and fetches it first if needed."""

    def place(view: View, name: str) -> ActionKind | None:
        if not may_try(view, name):
            return None
        return ActionKind.FETCH if lacks_release(view, name) else kind

    return place


def _stop(view: View, name: str) -> ActionKind | None:
    # Many commands return before Tomcat is gone, and fail if they are run again meanwhile.
    progress = view.progress[name]
    cuts = progress.phase is NodePhase.DRAINING and _cuts(view)
    is_stopping = progress.tries > int(cuts) and not progress.failure
    return None if is_stopping else ActionKind.STOP


def _cuts(view: View) -> bool:
    return view.policy.on_drain_deadline is OnDrainDeadline.CUT


def _start(view: View, name: str) -> ActionKind | None:
    may_start = view.looks[name].host.running is False and may_try(view, name)
    return ActionKind.START if may_start else None


def _check(view: View, name: str) -> ActionKind | None:
    look = view.looks[name]
    if look.pool.admin is Admin.READY:
        return ActionKind.READY if look.pool.checks_disabled else None
    blind_enough = look.pool.fresh is None and view.waited_s(name) >= view.policy.blind_check_s
    return ActionKind.READY if look.pool.fresh or blind_enough else None


_NEXT: Mapping[NodePhase, Callable[[View, str], ActionKind | None]] = {
    NodePhase.UNKNOWN: lambda _view, _name: None,
    NodePhase.DRAINING: _drain,
    NodePhase.STOPPING: _stop,
    NodePhase.SWAPPING: _place(ActionKind.SWAP),
    NodePhase.DEPLOYING: _place(ActionKind.DEPLOY),
    NodePhase.SHADOWED: lambda _view, _name: ActionKind.UNDEPLOY,
    NodePhase.STARTING: _start,
    NodePhase.ADMITTING: lambda _view, _name: ActionKind.ADMIT,
    NodePhase.CHECKING: _check,
}
