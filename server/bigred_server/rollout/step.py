"""The one next step of a node on the safe cycle."""

from collections.abc import Callable, Mapping

from bigred_server.rollout.act import Act, Kind
from bigred_server.rollout.look import Admin
from bigred_server.rollout.policy import OnDrainDeadline
from bigred_server.rollout.station import Station, station
from bigred_server.rollout.view import View


def step(view: View, name: str, where: Station) -> Act | None:
    """Give the next act for a node in hand, or None to wait."""
    if name in view.busy:
        return None
    kind = _STEPS[where](view, name)
    return Act(kind, name, view.goal) if kind else None


def _drain(view: View, name: str) -> Kind | None:
    look, policy = view.looks[name], view.policy
    if look.admin is Admin.DRAIN:
        done = look.in_flight == 0 or view.waited_s(name) >= policy.sessions_s
        return Kind.MAINT if done else None
    if view.waited_s(name) < policy.drain_s:
        return None
    if policy.on_drain_deadline is OnDrainDeadline.CUT and view.waits[name].tries == 0:
        return Kind.CUT
    return _STEPS[station(look, view.goal, drained=True)](view, name)


def _start(view: View, name: str) -> Kind | None:
    if view.looks[name].running is not False:
        return None
    wait = view.waits[name]
    rested = view.now_s - wait.tried_at_s >= view.policy.start_again_s
    return Kind.START if wait.tries == 0 or rested else None


def _check(view: View, name: str) -> Kind | None:
    look = view.looks[name]
    if look.admin is not Admin.DRAIN:
        return None
    blind_enough = look.fresh is None and view.waited_s(name) >= view.policy.blind_check_s
    return Kind.READY if look.fresh or blind_enough else None


_STEPS: Mapping[Station, Callable[[View, str], Kind | None]] = {
    Station.UNKNOWN: lambda _view, _name: None,
    Station.DRAINING: _drain,
    Station.STOPPING: lambda _view, _name: Kind.STOP,
    Station.SWAPPING: lambda _view, _name: Kind.SWAP,
    Station.STARTING: _start,
    Station.ADMITTING: lambda _view, _name: Kind.ADMIT,
    Station.CHECKING: _check,
}
