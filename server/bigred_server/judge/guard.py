"""The guard rails: what a node uses under the new release beside what nodes used under the old one.

Such figures hang together in time and are few: there is no probability to be had from them. So it
is k of m spans over a rail, or one over an absolute limit. What needs time to grow must be seen to
grow besides.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from bigred_server.judge.look import Span
from bigred_server.judge.policy import GuardPolicy

MIB = 1024 * 1024
# Fewer requests than this say nothing of what one of them costs.
_LEAST_REQUESTS = 20
# A processor that is hardly busy is no trouble, whatever the ratio; a share of one processor.
_LEAST_CPU = 0.05
_GROWS = 3
_GROWN = 1.1
KEPT = 8


def over(spans: Sequence[Span], reference: Sequence[Span], policy: GuardPolicy) -> dict[str, str]:
    """Say which rails the newest of one node's spans is over, each with a clause that says how."""
    newest = spans[-1]
    if newest.warming:
        # What a young JVM needs is not what it will need; it only shows from where things grow.
        return {}
    found = {
        "processor": _processor(newest, reference, policy),
        "memory": _memory(spans, reference, policy),
        "threads": _threads(spans, reference, policy),
        "collections": _collections(newest, reference, policy),
    }
    return {rail: clause for rail, clause in found.items() if clause}


def limits(newest: Span, policy: GuardPolicy) -> str:
    """Say which absolute limit a span is over, or ""."""
    if newest.threads > policy.threads_most:
        return f"has {newest.threads} threads on {newest.node}, {policy.threads_most} are allowed"
    if newest.heap_full and newest.heap_full > policy.heap_share * newest.heap_max:
        share = 100 * newest.heap_full / newest.heap_max
        return f"leaves {share:.0f} % of the memory of {newest.node} full after a full collection"
    return ""


def _processor(newest: Span, reference: Sequence[Span], policy: GuardPolicy) -> str:
    usual = [one.cpu_s / one.requests for one in reference if one.requests >= _LEAST_REQUESTS]
    enough = newest.requests >= _LEAST_REQUESTS and newest.cpu_s > _LEAST_CPU * newest.span_s
    if not usual or not enough:
        return ""
    now, before = newest.cpu_s / newest.requests, median(usual)
    if now <= policy.cpu_times * before:
        return ""
    return (
        f"needs {now / before:.1f} times the processor time a request on {newest.node} "
        f"({1000 * now:.1f} ms, the old release {1000 * before:.1f})"
    )


def _memory(spans: Sequence[Span], reference: Sequence[Span], policy: GuardPolicy) -> str:
    usual = [one.heap for one in reference]
    grown = [one.heap for one in spans]
    if not usual or not _grows(grown) or grown[-1] <= policy.heap_times * median(usual):
        return ""
    return (
        f"keeps {grown[-1] / MIB:.0f} MiB on {spans[-1].node} over collections and ever more, "
        f"the old release {median(usual) / MIB:.0f}"
    )


def _threads(spans: Sequence[Span], reference: Sequence[Span], policy: GuardPolicy) -> str:
    usual = [one.threads for one in reference]
    grown = [one.threads for one in spans]
    if not usual or not _grows(grown) or grown[-1] <= policy.threads_times * median(usual):
        return ""
    return (
        f"has {grown[-1]} threads on {spans[-1].node} and ever more, the old release "
        f"{median(usual):.0f}"
    )


def _collections(newest: Span, reference: Sequence[Span], policy: GuardPolicy) -> str:
    share = newest.gc_s / newest.span_s
    usual = median([one.gc_s / one.span_s for one in reference]) if reference else 0.0
    if share <= policy.gc_share or share <= 1.5 * usual:
        return ""
    return f"spends {100 * share:.0f} % of the time of {newest.node} collecting garbage"


def _grows(values: Sequence[int]) -> bool:
    """Say whether it goes up and never down: memory does so in steps, with each collection."""
    never_down = all(a <= b for a, b in pairwise(values))
    return len(values) >= _GROWS and never_down and values[-1] >= _GROWN * values[0]
