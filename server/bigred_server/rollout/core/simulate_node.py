"""The way of one node to a goal, walked on paper: which acts would follow one another. Pure."""

from dataclasses import replace

from bigred_server.rollout.core import context_version
from bigred_server.rollout.core.action import Act, Kind
from bigred_server.rollout.core.next_action import door, lacks_release, step
from bigred_server.rollout.core.node_phase import Station, station
from bigred_server.rollout.core.observation import Admin, Answer, NodeLook, Version
from bigred_server.rollout.core.progress import track
from bigred_server.rollout.core.target import Strategy
from bigred_server.rollout.core.view import View, is_serving

# More acts than any way has: one that goes round in circles ends all the same.
_LONGEST = 20


def way(view: View, name: str) -> tuple[Kind, ...]:
    """Name the acts that would bring a node to the goal if each did what it should."""
    done: list[Kind] = []
    for _ in range(_LONGEST):
        act = _next(view, name)
        if act is None:
            break
        done.append(act.kind)
        looks = {**view.looks, name: _after(view.looks[name], act)}
        view = replace(view, looks=looks, waits=track({}, looks, view.goal, view.now_s))
    return tuple(done)


def _next(view: View, name: str) -> Act | None:
    where = station(view.looks[name], view.goal)
    if where is Station.SERVING:
        return None
    if where is Station.TAKING:
        # A node that serves nobody is closed first, and what it lacks comes later.
        fetches = is_serving(view.looks[name]) and lacks_release(view, name)
        return Act(Kind.FETCH if fetches else door(view), name, view.goal)
    return step(view, name, where)


def _after(look: NodeLook, act: Act) -> NodeLook:
    """Give the look that an act leads to when it works and all that waits comes to its end."""
    goal = act.goal
    match act.kind:
        case Kind.FETCH:
            return replace(look, kept=(look.kept or frozenset()) | {goal.digest})
        case Kind.DRAIN if goal.strategy is Strategy.PARALLEL:
            return replace(look, admin=Admin.DRAIN)
        case Kind.DRAIN:
            return replace(look, admin=Admin.DRAIN, in_flight=0, versions=())
        case Kind.MAINT:
            return replace(look, admin=Admin.MAINT, up=False, in_flight=0)
        case Kind.CUT:
            return replace(look, in_flight=0)
        case Kind.STOP:
            return replace(look, running=False, answer=Answer())
        case Kind.SWAP:
            return replace(look, digest=goal.digest)
        case Kind.START:
            return _answering(look, act)
        case Kind.DEPLOY:
            hushed = goal.strategy is Strategy.PARALLEL
            return replace(_answering(look, act), digest=goal.digest, hushed=hushed)
        case Kind.UNDEPLOY:
            left = tuple(one for one in look.versions or () if one.name != act.version)
            first = context_version.newest(left)
            return replace(look, versions=left, digest=first.digest if first else "")
        case Kind.ADMIT:
            return replace(look, admin=Admin.DRAIN, fresh=True, hushed=False)
        case Kind.READY:
            return replace(look, admin=Admin.READY, up=True, hushed=False)


def _answering(look: NodeLook, act: Act) -> NodeLook:
    answer = Answer(came=True, ok=True, marker=act.goal.marker)
    versions = (*(look.versions or ()), Version(act.version, act.goal.digest))
    return replace(look, running=True, answer=answer, versions=versions)
