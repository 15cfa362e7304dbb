"""The plan: what a deployment would do to each node, how long it would take, what it costs. Pure.

It applies the same rules that a rollout follows, and adds times from earlier deployments.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bigred_server.model.hook import Hook, HookState
from bigred_server.rollout.core import out_of_service, sentences
from bigred_server.rollout.core.action import ActionKind
from bigred_server.rollout.core.availability import is_serving
from bigred_server.rollout.core.batch import actions
from bigred_server.rollout.core.decision import Decision
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.estimate import History, node_seconds, whole_seconds
from bigred_server.rollout.core.node_phase import NodePhase
from bigred_server.rollout.core.observation import Looks, NodeLook
from bigred_server.rollout.core.policy import Policy, Sessions
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.core.prepare import prepare
from bigred_server.rollout.core.progress import track
from bigred_server.rollout.core.simulate_node import simulate
from bigred_server.rollout.core.target import Strategy
from bigred_server.rollout.core.view import View

UNTOUCHED = "untouched"
UNCOUNTED = "unknown: give the node a [manager] table"


@dataclass(frozen=True)
class NodePlan:
    """What would happen to one node.

    `digest`: of its present WAR, None if unknown. `steps`: empty if the node does not change.
    `sessions`: how many it holds, None if they can't be counted; `fate`: what becomes of them.
    `free`: free bytes on its disk, None if unknown. `carried`: whether the other nodes could carry
    its load now. `seconds`: how long its update would take, None if unknown. `trouble`: what is
    wrong.
    """

    name: str
    digest: str | None
    steps: tuple[ActionKind, ...]
    sessions: int | None
    fate: str
    free: int | None
    carried: bool
    seconds: float | None
    trouble: str = ""


@dataclass(frozen=True)
class Plan:
    """What a deployment would do.

    `could_begin`: whether it could begin now; if not, `reason` says why, and no node would be
    touched. `hooks`: those that would run, in order. `batches`: the nodes that would be updated
    together, each canary on its own first. `skipped`: nodes that are down. `seconds`: for the whole
    deployment without its hooks, None if unknown. `sessions_lost`: None if some can't be counted.
    """

    could_begin: bool
    reason: str
    hooks: tuple[Hook, ...]
    batches: tuple[tuple[str, ...], ...]
    skipped: tuple[str, ...]
    seconds: float | None
    sessions_lost: int | None
    nodes: tuple[NodePlan, ...]


def to_be(deployment: Deployment, looks: Looks, policy: Policy, look: FleetLook) -> View:
    """Return the view of a deployment that does not exist yet.

    `looks`: those of `look`, with unknown digests filled in.
    """
    progress = track({}, looks, deployment.target, 0.0)
    queued, sharing = look.queued, look.sharing
    return View(deployment, looks, progress, {}, policy, 0.0, queued=queued, sharing=sharing)


def plan(view: View, history: History, hindrance: str = "") -> Plan:
    """Return what the deployment of a view, not begun yet, would do.

    `hindrance`: why it can't begin, regardless of its nodes; "" if nothing prevents it.
    """
    decision = _decision(view)
    could_begin = not hindrance and decision.nodes is not None
    nodes = decision.nodes or () if could_begin else ()
    record = replace(view.record, nodes=nodes)
    begun = replace(view, deployment=replace(view.deployment, record=record))
    batches = _batches(begun)
    touched = {name for batch in batches for name in batch}
    plans = tuple(_node(begun, name, history, touched=name in touched) for name in view.looks)
    seconds = {one.name: one.seconds for one in plans}
    return Plan(
        could_begin=could_begin,
        reason=hindrance or decision.reason,
        hooks=_hooks(view.policy) if could_begin else (),
        batches=batches,
        skipped=(decision.skipped or ()) if could_begin else _down(view),
        seconds=whole_seconds(batches, seconds, view.policy) if could_begin else None,
        sessions_lost=_lost(begun, [one for one in plans if one.name in touched]),
        nodes=plans,
    )


def _decision(view: View) -> Decision:
    """Decide as if the hook `before` had run and the wait for unreachable nodes were over."""
    hooks = {Hook.BEFORE: HookState.DONE}
    now_s = max((progress.since_s for progress in view.progress.values()), default=0.0)
    return prepare(
        replace(
            view,
            deployment=replace(view.deployment, hooks=hooks),
            now_s=now_s + view.policy.check_s + 1.0,
        )
    )


def _hooks(policy: Policy) -> tuple[Hook, ...]:
    return tuple(hook for hook in (Hook.BEFORE, Hook.AFTER) if hook in policy.hooks)


def _down(view: View) -> tuple[str, ...]:
    return tuple(name for name, look in view.looks.items() if not is_serving(look))


def _batches(view: View) -> tuple[tuple[str, ...], ...]:
    """Return the nodes that the rollout would update together, batch by batch."""
    node_phases = view.node_phases
    canaries = view.nodes[: view.policy.canary]
    batches: list[tuple[str, ...]] = []
    for group, batch in ((canaries, 1), (view.nodes[len(canaries) :], view.policy.batch)):
        left = tuple(name for name in group if node_phases[name] is not NodePhase.SERVING)
        while left:
            due = {action.node for action in actions(view, left, batch)}
            # If none may be updated now, one will be as soon as the load allows it.
            chosen = tuple(name for name in left if name in due) or left[:1]
            batches.append(chosen)
            left = tuple(name for name in left if name not in chosen)
    return tuple(batches)


def _node(view: View, name: str, history: History, *, touched: bool) -> NodePlan:
    look = view.looks[name]
    carried = view.leaves_headroom([name])
    return NodePlan(
        name=name,
        digest=look.host.digest,
        steps=simulate(view, name) if touched else (),
        sessions=look.sessions,
        fate=_fate(view, look) if touched else UNTOUCHED,
        free=look.host.free,
        carried=carried,
        seconds=node_seconds(name, history) if touched else None,
        trouble=_problem(view, look, waits_for_load=touched and not carried),
    )


def _fate(view: View, look: NodeLook) -> str:
    policy = view.policy
    if view.deployment.target.strategy is Strategy.PARALLEL:
        return "stay on the old version"
    if policy.sessions_shared:
        return "kept: shared"
    if look.sessions is None:
        return UNCOUNTED
    if policy.sessions is Sessions.WAIT:
        return f"waited for, up to {policy.sessions_s:g} s; any left then are lost"
    return "moved; lost unless the app can rebuild them"


def _problem(view: View, look: NodeLook, *, waits_for_load: bool) -> str:
    if look.problem:
        return look.problem
    return out_of_service.why(look) or (sentences.NO_HEADROOM if waits_for_load else "")


def _lost(view: View, touched: Sequence[NodePlan]) -> int | None:
    policy = view.policy
    if policy.sessions_shared or view.deployment.target.strategy is Strategy.PARALLEL:
        return 0
    counts = [node.sessions for node in touched]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return None
    return 0 if policy.sessions is Sessions.WAIT else sum(known)
