"""How long a deployment would take, by what earlier ones took. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any  # a receipt is JSON

from bigred_broker.messages import Phase
from bigred_server.rollout.core.policy import Policy

History = Sequence[Mapping[str, Any]]
"""The receipts of an app's deployments."""


def node_seconds(name: str, history: History) -> float | None:
    """Give the median of what a node took in deployments that succeeded, else of what any took.

    None where nothing is known.
    """
    ours = [seconds for node, seconds in _removed(history) if node == name]
    times = ours or [seconds for _, seconds in _removed(history)]
    return round(median(times), 1) if times else None


def whole_seconds(
    batches: Sequence[Sequence[str]], seconds: Mapping[str, float | None], policy: Policy
) -> float | None:
    """Add up batches, whose nodes are in hand together, and the watches between and after them."""
    times = [[seconds[name] for name in batch] for batch in batches]
    longest = [max((s for s in batch if s is not None), default=0.0) for batch in times]
    if any(s is None for batch in times for s in batch):
        return None
    return round(sum(longest) + _watched_s(len(batches), policy), 1)


def _watched_s(batches: int, policy: Policy) -> float:
    if not batches:
        return policy.last_bake_s
    canaries = min(policy.canary, batches)
    others = batches - canaries
    gaps = others - 1 if others and not canaries else others
    watched_s = gaps * policy.batch_bake_s + policy.last_bake_s
    if canaries and others:
        # The watch of the canaries goes on while that between batches has begun.
        watched_s += max(policy.canary_bake_s - policy.batch_bake_s, 0.0)
    return watched_s


def _removed(history: History) -> Iterator[tuple[str, float]]:
    for receipt in history:
        if receipt["outcome"] != Phase.SUCCEEDED:
            continue
        for node in receipt["per_node"]:
            if node["seconds"]:
                yield node["name"], node["seconds"]
