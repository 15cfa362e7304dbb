"""How long each node stands where it stands: the only memory of the loop, and a harmless one.

Lost in a crash, the clocks start again; nothing but patience depends on them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bigred_server.rollout.core.node_phase import NodePhase, is_proven, node_phase
from bigred_server.rollout.core.observation import Admin, Looks, NodeLook
from bigred_server.rollout.core.target import Target

_ORDER = {each: number for number, each in enumerate(NodePhase)}


@dataclass(frozen=True)
class NodeProgress:
    """Since when (monotonic seconds) a node is at a station of its way to a goal.

    With it goes what was tried there: `failure` is what the last act said when it failed.
    `wrong_since_s`: since when the app answers, but not as the wanted release, or, once it has
    answered so, no longer answers though Tomcat runs. `deaths`: how often
    Tomcat ended by itself after the app had answered as wanted. `furthest`: the furthest station
    that the node ever reached towards the goal, and when.
    """

    target: Target
    phase: NodePhase
    admin: Admin
    since_s: float
    furthest: NodePhase
    furthest_at_s: float
    tries: int = 0
    tried_at_s: float = 0.0
    failure: str = ""
    wrong_since_s: float | None = None
    proven: bool = False
    deaths: int = 0


ProgressByNode = Mapping[str, NodeProgress]


def track(
    progress: ProgressByNode, looks: Looks, target: Target, now_s: float
) -> dict[str, NodeProgress]:
    """Bring the clocks up to a new look. For another goal all of them begin anew."""
    return {name: _track(progress.get(name), look, target, now_s) for name, look in looks.items()}


def _track(wait: NodeProgress | None, look: NodeLook, target: Target, now_s: float) -> NodeProgress:
    here = node_phase(look, target)
    if wait is None or wait.target != target:
        wait = NodeProgress(
            target, here, look.pool.admin, now_s, furthest=here, furthest_at_s=now_s
        )
    elif (wait.phase, wait.admin) != (here, look.pool.admin):
        # The door counts: requests have their time to end from when it was closed.
        wait = replace(
            wait,
            phase=here,
            admin=look.pool.admin,
            since_s=now_s,
            tries=0,
            tried_at_s=0.0,
            failure="",
        )
    if _ORDER[here] > _ORDER[wait.furthest]:
        wait = replace(wait, furthest=here, furthest_at_s=now_s)
    return _track_app(wait, look, target, now_s)


def _track_app(wait: NodeProgress, look: NodeLook, target: Target, now_s: float) -> NodeProgress:
    if is_proven(look, target):
        return replace(wait, wrong_since_s=None, proven=True)
    if wait.proven and look.host.digest == target.digest and look.host.running is False:
        wait = replace(wait, proven=False, deaths=wait.deaths + 1)
    # Before it first answered it may still be starting; after that, it hangs.
    tells = look.answer.came or (wait.proven and look.host.running)
    if not tells or look.host.digest != target.digest:
        return replace(wait, wrong_since_s=None)
    return wait if wait.wrong_since_s is not None else replace(wait, wrong_since_s=now_s)


def tried(
    progress: ProgressByNode, name: str, begun: NodeProgress, now_s: float, failure: str
) -> dict[str, NodeProgress]:
    """Note that an act ended that was begun in the wait `begun`; no `failure` when it went well.

    An act that brought the node on, if only from open to closed, is no try where it came to.
    """
    wait = progress[name]
    if (wait.target, wait.phase, wait.since_s) != (begun.target, begun.phase, begun.since_s):
        return dict(progress)
    noted = replace(wait, tries=wait.tries + 1, tried_at_s=now_s, failure=failure)
    return {**progress, name: noted}


def last_progress_s(progress: ProgressByNode, nodes: Iterable[str]) -> float:
    """Give when (monotonic seconds) any of the nodes last came further than it had ever been.

    Going round in circles is no progress.
    """
    return max((progress[name].furthest_at_s for name in nodes), default=0.0)
