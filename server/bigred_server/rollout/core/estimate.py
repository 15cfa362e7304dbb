"""How long a deployment would take, estimated from earlier ones. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any  # a receipt is JSON

from bigred_broker.messages import Phase
from bigred_server.rollout.core.policy import Policy

History = Sequence[Mapping[str, Any]]
"""The receipts of an app's deployments."""


def node_seconds(name: str, history: History) -> float | None:
    """Return a node's median update time in successful deployments, or else that of all nodes.

    None if there were none.
    """
    ours = [seconds for node, seconds in _node_times(history) if node == name]
    times = ours or [seconds for _, seconds in _node_times(history)]
    return round(median(times), 1) if times else None


def whole_seconds(
    batches: Sequence[Sequence[str]], seconds: Mapping[str, float | None], policy: Policy
) -> float | None:
    """Add up the batches, whose nodes are updated together, and the bakes between and after them.

    None if the time of any node is unknown.
    """
    times = [[seconds[name] for name in batch] for batch in batches]
    longest = [max((s for s in batch if s is not None), default=0.0) for batch in times]
    if any(s is None for batch in times for s in batch):
        return None
    return round(sum(longest) + _bake_s(len(batches), policy), 1)


def _bake_s(batches: int, policy: Policy) -> float:
    if not batches:
        return policy.last_bake_s
    canaries = min(policy.canary, batches)
    others = batches - canaries
    gaps = others - 1 if others and not canaries else others
    bake_s = gaps * policy.batch_bake_s + policy.last_bake_s
    if canaries and others:
        # The canaries' bake overlaps with the first bake between batches.
        bake_s += max(policy.canary_bake_s - policy.batch_bake_s, 0.0)
    return bake_s


def _node_times(history: History) -> Iterator[tuple[str, float]]:
    for receipt in history:
        if receipt["outcome"] != Phase.SUCCEEDED:
            continue
        for node in receipt["per_node"]:
            if node["seconds"]:
                yield node["name"], node["seconds"]
