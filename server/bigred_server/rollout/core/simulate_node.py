"""A dry run of one node's update: the actions that would lead to its target, in order. Pure."""

from dataclasses import replace

from bigred_server.rollout.core import context_version
from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.availability import is_serving
from bigred_server.rollout.core.next_action import closing_kind, lacks_release, next_action
from bigred_server.rollout.core.node_phase import NodePhase, node_phase
from bigred_server.rollout.core.observation import Admin, Answer, NodeLook, Version
from bigred_server.rollout.core.progress import track
from bigred_server.rollout.core.target import Strategy
from bigred_server.rollout.core.view import View

# More actions than any update needs: a simulation that repeats itself must end too.
_MOST_ACTIONS = 20


def simulate(view: View, name: str) -> tuple[ActionKind, ...]:
    """Return the actions that would bring a node to its target if each one succeeded."""
    done: list[ActionKind] = []
    for _ in range(_MOST_ACTIONS):
        action = _next(view, name)
        if action is None:
            break
        done.append(action.kind)
        looks = {**view.looks, name: _after(view.looks[name], action)}
        view = replace(view, looks=looks, progress=track({}, looks, view.target, view.now_s))
    return tuple(done)


def _next(view: View, name: str) -> Action | None:
    phase = node_phase(view.looks[name], view.target)
    if phase is NodePhase.SERVING:
        return None
    if phase is NodePhase.PENDING:
        # A node that serves nobody is taken out of the pool first; fetching comes later.
        fetches = is_serving(view.looks[name]) and lacks_release(view, name)
        return Action(ActionKind.FETCH if fetches else closing_kind(view), name, view.target)
    return next_action(view, name, phase)


def _after(look: NodeLook, action: Action) -> NodeLook:
    """Return the look after an action, if the action works and every wait ends."""
    target, pool, host = action.target, look.pool, look.host
    match action.kind:
        case ActionKind.FETCH:
            host = replace(host, kept=(host.kept or frozenset()) | {target.digest})
        case ActionKind.DRAIN if target.strategy is Strategy.PARALLEL:
            pool = replace(pool, admin=Admin.DRAIN)
        case ActionKind.DRAIN:
            pool, host = replace(pool, admin=Admin.DRAIN, in_flight=0), replace(host, versions=())
        case ActionKind.MAINT:
            pool = replace(pool, admin=Admin.MAINT, up=False, in_flight=0)
        case ActionKind.CUT:
            pool = replace(pool, in_flight=0)
        case ActionKind.STOP:
            return replace(look, host=replace(host, running=False), answer=Answer())
        case ActionKind.SWAP:
            host = replace(host, digest=target.digest)
        case ActionKind.START:
            return _answering(look, action)
        case ActionKind.DEPLOY:
            pool = replace(pool, checks_disabled=target.strategy is Strategy.PARALLEL)
            host = replace(host, digest=target.digest)
            return _answering(replace(look, pool=pool, host=host), action)
        case ActionKind.UNDEPLOY:
            left = tuple(one for one in host.versions or () if one.name != action.version)
            first = context_version.newest(left)
            host = replace(host, versions=left, digest=first.digest if first else "")
        case ActionKind.ADMIT:
            pool = replace(pool, admin=Admin.DRAIN, fresh=True, checks_disabled=False)
        case ActionKind.READY:
            pool = replace(pool, admin=Admin.READY, up=True, checks_disabled=False)
    return replace(look, pool=pool, host=host)


def _answering(look: NodeLook, action: Action) -> NodeLook:
    answer = Answer(came=True, ok=True, marker=action.target.marker)
    versions = (*(look.host.versions or ()), Version(action.version, action.target.digest))
    host = replace(look.host, running=True, versions=versions)
    return replace(look, host=host, answer=answer)
