"""The one next step of a node in hand."""

from collections.abc import Callable, Mapping

from bigred_server.rollout.core import context_version
from bigred_server.rollout.core.action import Act, Kind
from bigred_server.rollout.core.node_phase import Station, station
from bigred_server.rollout.core.observation import Admin
from bigred_server.rollout.core.policy import OnDrainDeadline, Sessions
from bigred_server.rollout.core.target import Strategy
from bigred_server.rollout.core.view import View

_GIVING_BACK = frozenset({Kind.ADMIT, Kind.READY})


def step(view: View, name: str, where: Station) -> Act | None:
    """Give the next act for a node in hand, or None to wait."""
    if name in view.busy:
        return None
    kind = _STEPS[where](view, name)
    if kind in _GIVING_BACK and view.may_change(name):
        return None
    return Act(kind, name, view.goal, _version(view, name, kind)) if kind else None


def door(view: View) -> Kind:
    """Say how a node is taken out of the pool: at once, or so that its users may stay."""
    waits = view.policy.sessions is Sessions.WAIT and not view.goes_back
    return Kind.DRAIN if waits or view.goal.strategy is Strategy.PARALLEL else Kind.MAINT


def lacks_release(view: View, name: str) -> bool:
    """Say whether the release must still be brought to the node."""
    kept = view.looks[name].kept
    return kept is not None and view.goal.digest not in kept


def may_try(view: View, name: str) -> bool:
    """Say whether an act may be tried: for the first time, or after a pause."""
    wait = view.waits[name]
    return wait.tries == 0 or view.now_s - wait.tried_at_s >= view.policy.start_again_s


def _version(view: View, name: str, kind: Kind) -> str:
    """Name the version that an act makes or takes away; "" where there is only one."""
    versions = view.looks[name].versions or ()
    if view.goal.strategy is not Strategy.PARALLEL:
        return ""
    if kind is Kind.DEPLOY:
        return context_version.following(versions, view.goal.digest)
    first = context_version.newest(versions)
    return first.name if kind is Kind.UNDEPLOY and first else ""


def _drain(view: View, name: str) -> Kind | None:
    look, policy = view.looks[name], view.policy
    if look.admin is Admin.DRAIN:
        # A request that is still being answered may begin a session.
        done = door(view) is Kind.MAINT or (look.sessions == 0 and not look.in_flight)
        return Kind.MAINT if done or view.waited_s(name) >= policy.sessions_s else None
    if view.waited_s(name) < policy.drain_s:
        return None
    if policy.on_drain_deadline is OnDrainDeadline.CUT and view.waits[name].tries == 0:
        return Kind.CUT
    return _STEPS[station(look, view.goal, drained=True)](view, name)


def _place(kind: Kind) -> Callable[[View, str], Kind | None]:
    """Give the step that puts a release in its place, fetched before where need be."""

    def place(view: View, name: str) -> Kind | None:
        if not may_try(view, name):
            return None
        return Kind.FETCH if lacks_release(view, name) else kind

    return place


def _start(view: View, name: str) -> Kind | None:
    may_start = view.looks[name].running is False and may_try(view, name)
    return Kind.START if may_start else None


def _check(view: View, name: str) -> Kind | None:
    look = view.looks[name]
    if look.admin is Admin.READY:
        return Kind.READY if look.hushed else None
    blind_enough = look.fresh is None and view.waited_s(name) >= view.policy.blind_check_s
    return Kind.READY if look.fresh or blind_enough else None


_STEPS: Mapping[Station, Callable[[View, str], Kind | None]] = {
    Station.UNKNOWN: lambda _view, _name: None,
    Station.DRAINING: _drain,
    Station.STOPPING: lambda _view, _name: Kind.STOP,
    Station.SWAPPING: _place(Kind.SWAP),
    Station.DEPLOYING: _place(Kind.DEPLOY),
    Station.SHADOWED: lambda _view, _name: Kind.UNDEPLOY,
    Station.STARTING: _start,
    Station.ADMITTING: lambda _view, _name: Kind.ADMIT,
    Station.CHECKING: _check,
}
