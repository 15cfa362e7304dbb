"""The guard rails: resource use of a node on the new release, compared with the old release.

These figures are few and correlated in time, so no probability can be derived from them. Instead,
k of m spans must exceed a rail, or one span an absolute limit. Memory and threads, which build up
over time, must also be growing.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from bigred_server.judge.look import Span
from bigred_server.judge.policy import GuardPolicy

MIB = 1024 * 1024
# With fewer requests, the cost of one of them is not known.
_LEAST_REQUESTS = 20
# A share of one processor. Below it, the ratio does not matter: the processor is hardly busy.
_LEAST_CPU = 0.05
_GROWS = 3
_GROWN = 1.1
KEPT = 8


def exceeded(
    spans: Sequence[Span], reference: Sequence[Span], policy: GuardPolicy
) -> dict[str, str]:
    """Return the rails that the newest span of a node exceeds, each with a clause describing it."""
    newest = spans[-1]
    if newest.warming:
        # A young JVM's use is not typical yet; the span only shows where growth starts.
        return {}
    found = {
        "processor": _processor(newest, reference, policy),
        "memory": _memory(spans, reference, policy),
        "threads": _threads(spans, reference, policy),
        "collections": _collections(newest, reference, policy),
    }
    return {rail: clause for rail, clause in found.items() if clause}


def limit(newest: Span, policy: GuardPolicy) -> str:
    """Return a clause about the absolute limit that a span exceeds, or ""."""
    if newest.threads > policy.threads_most:
        return f"has {newest.threads} threads on {newest.node}; the limit is {policy.threads_most}"
    if newest.heap_full and newest.heap_full > policy.heap_share * newest.heap_max:
        share = 100 * newest.heap_full / newest.heap_max
        return f"fills {share:.0f} % of {newest.node}'s heap even after a full garbage collection"
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
        f"needs {now / before:.1f} times the processor time per request on {newest.node} "
        f"({1000 * now:.1f} ms, compared with {1000 * before:.1f} ms on the old release)"
    )


def _memory(spans: Sequence[Span], reference: Sequence[Span], policy: GuardPolicy) -> str:
    usual = [one.heap for one in reference]
    grown = [one.heap for one in spans]
    if not usual or not _grows(grown) or grown[-1] <= policy.heap_times * median(usual):
        return ""
    return (
        f"keeps {grown[-1] / MIB:.0f} MiB on {spans[-1].node} after garbage collection, and "
        f"rising, compared with {median(usual) / MIB:.0f} MiB on the old release"
    )


def _threads(spans: Sequence[Span], reference: Sequence[Span], policy: GuardPolicy) -> str:
    usual = [one.threads for one in reference]
    grown = [one.threads for one in spans]
    if not usual or not _grows(grown) or grown[-1] <= policy.threads_times * median(usual):
        return ""
    return (
        f"has {grown[-1]} threads on {spans[-1].node}, and rising, "
        f"compared with {median(usual):.0f} on the old release"
    )


def _collections(newest: Span, reference: Sequence[Span], policy: GuardPolicy) -> str:
    share = newest.gc_s / newest.span_s
    usual = median([one.gc_s / one.span_s for one in reference]) if reference else 0.0
    if share <= policy.gc_share or share <= 1.5 * usual:
        return ""
    return f"spends {100 * share:.0f} % of {newest.node}'s time collecting garbage"


def _grows(values: Sequence[int]) -> bool:
    """Return whether the values rise and never fall. Memory rises in steps, one per collection."""
    never_down = all(a <= b for a, b in pairwise(values))
    return len(values) >= _GROWS and never_down and values[-1] >= _GROWN * values[0]
