"""The receipt: the account of a deployment in figures, made from the journal alone."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any  # a receipt is JSON

from bigred_server.model.action_record import ActionRecord
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.core.action import ActionKind
from bigred_server.rollout.core.policy import Policy, Sessions
from bigred_server.rollout.loop.request_counter import Counted

_CLOSING = frozenset({ActionKind.DRAIN, ActionKind.MAINT})
_PLACING = frozenset({ActionKind.SWAP, ActionKind.START, ActionKind.DEPLOY})
_ENDING = frozenset({ActionKind.STOP, ActionKind.DEPLOY})


@dataclass(frozen=True)
class NodeTimes:
    """How long the update of one node took, in seconds and by step; and its sessions.

    `fetch_s`: fetching the release while the node served. `drain_s`: from leaving the pool until
    Tomcat was stopped or the Manager deployed. `stop_s`: stopping Tomcat. `start_s`: from putting
    the new release in place to the app's correct answer. `check_s`: warm-up, smoke tests and
    HAProxy's check. A node that was updated and rolled back has the sums of both. `sessions`: how
    many the node held when it left the pool, None if they can't be counted; `sessions_lost`: how
    many were lost.
    """

    name: str
    seconds: float = 0.0
    fetch_s: float = 0.0
    drain_s: float = 0.0
    stop_s: float = 0.0
    start_s: float = 0.0
    check_s: float = 0.0
    sessions: int | None = None
    sessions_lost: int | None = None


def receipt(
    record: DeploymentRecord,
    version: str,
    actions: Sequence[ActionRecord],
    counted: Counted,
    policy: Policy,
    now: float,
) -> dict[str, Any]:
    """Return the receipt. `requests`, `failed` and `retried`: as counted by HAProxy's `backends`.

    `unit`: what it counted, "connections" where it sees no requests. `unmanaged`: backends with the
    same Tomcats whose users are not counted. `touched`: on how many nodes something was done that
    could be noticed. `cut`: the nodes whose requests in flight were cut. `judgement`: the latest
    judgement, None if the judge is off.
    """
    counters, coverage = counted.counters, counted.coverage
    nodes = [node_times(name, actions, policy) for name in record.nodes]
    return {
        "deployment": record.id,
        "app": record.app,
        "outcome": str(record.phase),
        "reason": record.reason,
        "release": version,
        "who": record.who,
        "nodes": len(record.nodes),
        "touched": len({action.node for action in actions if _touches(action)}),
        "skipped": list(record.skipped),
        "set_aside": list(record.set_aside),
        "seconds": round(now - record.started_at, 3),
        "judgement": record.judgement,
        "requests": counters.requests,
        "failed": counters.errors_5xx,
        "retried": counters.retried,
        "unit": coverage.unit,
        "backends": list(coverage.backends),
        "unmanaged": list(coverage.unmanaged),
        "cut": [name for name in record.nodes if _was_cut(name, actions)],
        "sessions": _total([node.sessions for node in nodes]),
        "sessions_lost": _total([node.sessions_lost for node in nodes]),
        "hooks": {
            action.kind: action.outcome or "unknown" for action in actions if not action.node
        },
        "per_node": [asdict(node) for node in nodes],
    }


def _touches(action: ActionRecord) -> bool:
    # A release is fetched while its node serves.
    return bool(action.node) and action.kind != ActionKind.FETCH


def _was_cut(name: str, actions: Sequence[ActionRecord]) -> bool:
    return any(one.node == name and one.kind == ActionKind.CUT for one in actions)


def node_times(name: str, actions: Sequence[ActionRecord], policy: Policy) -> NodeTimes:
    """Add up the times of one node from its actions, in their order."""
    ours = [action for action in actions if action.node == name]
    spans = _spans(ours)
    sessions = (action.sessions for action in ours if action.kind in _CLOSING)
    return NodeTimes(
        name,
        seconds=round(_seconds(ours), 3),
        sessions=next(sessions, None),
        sessions_lost=_lost(ours, policy),
        **{key: round(value, 3) for key, value in spans.items()},
    )


def _seconds(ours: Sequence[ActionRecord]) -> float:
    """Return how long the update took, without the wait for its turn after an early fetch."""
    update = [action for action in ours if action.kind != ActionKind.FETCH]
    begun = min((action.begun_at for action in update), default=float("inf"))
    ended = max(map(_end, update), default=begun)
    early = [one for one in ours if one.kind == ActionKind.FETCH and one.begun_at < begun]
    return sum(_end(one) - one.begun_at for one in early) + (ended - begun if update else 0.0)


def _spans(ours: Sequence[ActionRecord]) -> dict[str, float]:
    names = ("fetch_s", "drain_s", "stop_s", "start_s", "check_s")
    spans = dict.fromkeys(names, 0.0)
    since: dict[str, float] = {}

    def close(span: str, now: float) -> None:
        if span in since:
            spans[span] += now - since.pop(span)

    for action in ours:
        if action.kind == ActionKind.FETCH:
            spans["fetch_s"] += _end(action) - action.begun_at
        elif action.kind in _CLOSING and not since:
            since["drain_s"] = action.begun_at
        elif action.kind == ActionKind.STOP:
            close("drain_s", action.begun_at)
            spans["stop_s"] += _end(action) - action.begun_at
        elif action.kind in _PLACING:
            close("drain_s", action.begun_at)
            since.setdefault("start_s", action.begun_at)
        elif action.kind == ActionKind.ADMIT:
            close("start_s", action.begun_at)
            since.setdefault("check_s", action.begun_at)
        elif action.kind == ActionKind.READY:
            close("check_s", _end(action))
            since.clear()
    return spans


def _lost(ours: Sequence[ActionRecord], policy: Policy) -> int | None:
    """Count the sessions that ended with the app's process or with their version."""
    if policy.sessions_shared:
        return 0
    if policy.sessions is Sessions.PARALLEL:
        return sum(action.sessions or 0 for action in ours if action.kind == ActionKind.UNDEPLOY)
    # An action that had to be tried again ended only what its first try had left.
    firsts = {action.digest: action.sessions for action in reversed(ours) if action.kind in _ENDING}
    return _total(list(firsts.values()))


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known or not counts else None


def _end(action: ActionRecord) -> float:
    return action.ended_at or action.begun_at
