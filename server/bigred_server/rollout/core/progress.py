"""How long each node has been in its phase: the only memory of the loop, and a harmless one.

If a crash loses it, the clocks start again; only deadlines depend on them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bigred_server.rollout.core.node_phase import NodePhase, is_proven, node_phase
from bigred_server.rollout.core.observation import Admin, Looks, NodeLook
from bigred_server.rollout.core.target import Target

_ORDER = {each: number for number, each in enumerate(NodePhase)}


@dataclass(frozen=True)
class NodeProgress:
    """Since when (monotonic seconds) a node has been in a phase on its way to a target.

    `tries`, `tried_at_s`: actions tried in this phase; `failure`: why the last one failed.
    `wrong_since_s`: since when the app has answered otherwise than as the target release; or, after
    it has answered correctly, since when it has not answered although Tomcat runs. `deaths`: how
    often Tomcat exited by itself after the app had answered correctly. `furthest`: the furthest
    phase that the node ever reached towards the target, at `furthest_at_s`.
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
    """Update the clocks with a new look. For a new target all of them start again."""
    return {name: _track(progress.get(name), look, target, now_s) for name, look in looks.items()}


def _track(
    before: NodeProgress | None, look: NodeLook, target: Target, now_s: float
) -> NodeProgress:
    phase = node_phase(look, target)
    if before is None or before.target != target:
        progress = NodeProgress(
            target, phase, look.pool.admin, now_s, furthest=phase, furthest_at_s=now_s
        )
    elif (before.phase, before.admin) != (phase, look.pool.admin):
        # The admin state counts too: the time for requests to end starts when the node is closed.
        progress = replace(
            before,
            phase=phase,
            admin=look.pool.admin,
            since_s=now_s,
            tries=0,
            tried_at_s=0.0,
            failure="",
        )
    else:
        progress = before
    if _ORDER[phase] > _ORDER[progress.furthest]:
        progress = replace(progress, furthest=phase, furthest_at_s=now_s)
    return _track_app(progress, look, target, now_s)


def _track_app(
    progress: NodeProgress, look: NodeLook, target: Target, now_s: float
) -> NodeProgress:
    if is_proven(look, target):
        return replace(progress, wrong_since_s=None, proven=True)
    if progress.proven and look.host.digest == target.digest and look.host.running is False:
        progress = replace(progress, proven=False, deaths=progress.deaths + 1)
    # Before its first correct answer, a silent app may still be starting; after it, it hangs.
    is_evidence = look.answer.came or (progress.proven and look.host.running)
    if not is_evidence or look.host.digest != target.digest:
        return replace(progress, wrong_since_s=None)
    return (
        progress if progress.wrong_since_s is not None else replace(progress, wrong_since_s=now_s)
    )


def tried(
    progress: ProgressByNode, name: str, begun: NodeProgress, now_s: float, failure: str
) -> dict[str, NodeProgress]:
    """Record the end of an action that began when the node's progress was `begun`.

    `failure` is "" if it succeeded. An action that moved the node on, if only from open to closed,
    does not count as a try in the new phase.
    """
    node = progress[name]
    if (node.target, node.phase, node.since_s) != (begun.target, begun.phase, begun.since_s):
        return dict(progress)
    recorded = replace(node, tries=node.tries + 1, tried_at_s=now_s, failure=failure)
    return {**progress, name: recorded}


def last_progress_s(progress: ProgressByNode, nodes: Iterable[str]) -> float:
    """Return when (monotonic seconds) any of the nodes last got further than ever before.

    A node that repeats earlier phases makes no progress.
    """
    return max((progress[name].furthest_at_s for name in nodes), default=0.0)
