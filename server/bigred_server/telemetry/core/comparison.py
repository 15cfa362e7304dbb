"""Compares cohorts: turns log lines and HAProxy's counters into the parts of a look. Pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bigred_server.judge.evidence import CUTS
from bigred_server.judge.look import Arm, Pair, Signs
from bigred_server.telemetry.core.baseline import Baseline
from bigred_server.telemetry.core.window import LatencySample, NodeWindow


@dataclass(frozen=True)
class NodeCounts:
    """HAProxy's counts of one node in one look; the fields are those of `Served`."""

    requests: int = 0
    errors: int = 0
    retried: int = 0

    def __add__(self, other: "NodeCounts") -> "NodeCounts":
        """Return the sum of two counts."""
        return NodeCounts(
            self.requests + other.requests,
            self.errors + other.errors,
            self.retried + other.retried,
        )


def arm_of_lines(windows: Sequence[NodeWindow]) -> Arm:
    """Sum up a cohort from its nodes' log lines."""
    return Arm(
        sum(one.requests for one in windows),
        sum(len(one.clients) for one in windows),
        sum(sum(one.clients.values()) for one in windows),
    )


def arm_of_counts(counts: Sequence[NodeCounts]) -> Arm:
    """Sum up a cohort from counters alone.

    They don't show how many clients met an error, so each node counts once per look.
    """
    return Arm(
        sum(one.requests for one in counts),
        sum(one.requests > 0 for one in counts),
        sum(one.errors > 0 and one.requests > 0 for one in counts),
    )


def arm_of_retries(nodes: Mapping[str, NodeCounts], failing: Collection[str]) -> Arm:
    """Sum up a cohort by nodes whose failures HAProxy hid from users by retrying.

    The counters don't show how many clients were affected, so each node counts once. Nodes in
    `failing` have visible errors already and don't count: the retries before an error belong to
    that error.
    """
    used = {name: one for name, one in nodes.items() if one.requests or one.retried}
    hits = sum(one.retried > 0 and name not in failing for name, one in used.items())
    return Arm(sum(one.requests for one in used.values()), len(used), hits)


def slow(
    canary: Sequence[LatencySample], baseline: Sequence[LatencySample], usual: Baseline
) -> dict[float, tuple[Pair, ...]]:
    """Count the samples that took longer than the baseline, by cut and path group."""
    groups = sorted({one.group for one in canary} | {one.group for one in baseline})
    return {
        cut: tuple(
            Pair(_over(canary, group, usual, cut), _over(baseline, group, usual, cut))
            for group in groups
            if cut in usual.of(group)
        )
        for cut in CUTS
    }


def _over(samples: Sequence[LatencySample], group: str, usual: Baseline, cut: float) -> Arm:
    took = [one.took_ms for one in samples if one.group == group]
    limit = usual.of(group)[cut]
    return Arm(len(took), len(took), sum(ms > limit for ms in took))


def signs(canary: Sequence[LatencySample], baseline: Sequence[LatencySample]) -> Signs:
    """Match each canary request with the nearest in time of the same path group, each used once.

    Ties are not counted.
    """
    slower = faster = 0
    for group in sorted({one.group for one in canary}):
        ours = sorted((one for one in canary if one.group == group), key=_at)
        others = sorted((one for one in baseline if one.group == group), key=_at)
        for one in ours:
            if not others:
                break
            other = others.pop(_nearest(one, others))
            slower += one.took_ms > other.took_ms
            faster += one.took_ms < other.took_ms
    return Signs(slower, faster)


def _at(one: LatencySample) -> float:
    return one.at


def _nearest(one: LatencySample, others: Sequence[LatencySample]) -> int:
    index = bisect_left(others, one.at, key=_at)
    near = range(max(0, index - 1), min(len(others), index + 1))
    return min(near, key=lambda number: abs(others[number].at - one.at))


def where(windows: Sequence[NodeWindow]) -> dict[str, int]:
    """Count errors by path group."""
    found: Counter[str] = Counter()
    for one in windows:
        found.update(one.where)
    return dict(found)
