"""The receipt: the end of every deployment in figures, made from the journal alone."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any  # a receipt is JSON

from bigred_server.journal.acts import ActRecord
from bigred_server.journal.deployments import Record
from bigred_server.rollout.act import Kind
from bigred_server.rollout.look import Counters

_CLOSING = frozenset({Kind.DRAIN, Kind.MAINT})


@dataclass(frozen=True)
class NodeTimes:
    """How long one node was in hand, in seconds, and with what.

    `drain_s`: until Tomcat was stopped. `stop_s`: its stop. `start_s`: the swap and the start, to
    the app's right answer. `check_s`: warm-up, smoke tests and HAProxy's check. A node that was
    rolled forward and back has the sums of both.
    """

    name: str
    seconds: float = 0.0
    drain_s: float = 0.0
    stop_s: float = 0.0
    start_s: float = 0.0
    check_s: float = 0.0


def receipt(
    record: Record, version: str, acts: Sequence[ActRecord], counted: Counters, now: float
) -> dict[str, Any]:
    """Write the receipt. `requests`, `failed` and `retried` are as HAProxy's backend saw them."""
    return {
        "deployment": record.id,
        "app": record.app,
        "outcome": str(record.phase),
        "reason": record.reason,
        "release": version,
        "who": record.who,
        "nodes": len(record.nodes),
        "skipped": list(record.skipped),
        "seconds": round(now - record.started_at, 3),
        "requests": counted.requests,
        "failed": counted.errors_5xx,
        "retried": counted.retried,
        "per_node": [asdict(node_times(name, acts)) for name in record.nodes],
    }


def node_times(name: str, acts: Sequence[ActRecord]) -> NodeTimes:
    """Add up the times of one node from its acts, in their order."""
    ours = [act for act in acts if act.node == name]
    spans = {"drain_s": 0.0, "stop_s": 0.0, "start_s": 0.0, "check_s": 0.0}
    since: dict[str, float] = {}

    def close(span: str, now: float) -> None:
        if span in since:
            spans[span] += now - since.pop(span)

    for act in ours:
        ended_at = act.ended_at or act.begun_at
        if act.kind in _CLOSING and not since:
            since["drain_s"] = act.begun_at
        elif act.kind == Kind.STOP:
            close("drain_s", act.begun_at)
            spans["stop_s"] += ended_at - act.begun_at
        elif act.kind in (Kind.SWAP, Kind.START):
            close("drain_s", act.begun_at)
            since.setdefault("start_s", act.begun_at)
        elif act.kind == Kind.ADMIT:
            close("start_s", act.begun_at)
            since.setdefault("check_s", act.begun_at)
        elif act.kind == Kind.READY:
            close("check_s", ended_at)
            since.clear()
    begun = min((act.begun_at for act in ours), default=0.0)
    ended = max((act.ended_at or act.begun_at for act in ours), default=0.0)
    rounded = {key: round(value, 3) for key, value in spans.items()}
    return NodeTimes(name, seconds=round(ended - begun, 3), **rounded)
