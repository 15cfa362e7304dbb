"""From a window and HAProxy's counters to a look of the judge. Pure."""

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
    """What HAProxy counted at one node in one look; the words are those of Served."""

    requests: int = 0
    errors: int = 0
    retried: int = 0

    def __add__(self, other: "NodeCounts") -> "NodeCounts":
        """Add up."""
        return NodeCounts(
            self.requests + other.requests,
            self.errors + other.errors,
            self.retried + other.retried,
        )


def arm_of_lines(windows: Sequence[NodeWindow]) -> Arm:
    """Sum the nodes of a side up from their lines."""
    return Arm(
        sum(one.requests for one in windows),
        sum(len(one.clients) for one in windows),
        sum(sum(one.clients.values()) for one in windows),
    )


def arm_of_counts(counts: Sequence[NodeCounts]) -> Arm:
    """Sum the nodes of a side up where there are counters alone.

    Nobody knows then how many clients an error met: a node is one witness a look.
    """
    return Arm(
        sum(one.requests for one in counts),
        sum(one.requests > 0 for one in counts),
        sum(one.errors > 0 and one.requests > 0 for one in counts),
    )


def arm_of_retries(nodes: Mapping[str, NodeCounts], spoken: Collection[str]) -> Arm:
    """Sum a side up by who answered some only because HAProxy tried again: a node is one witness.

    Nobody knows how many clients it would have met. Of nodes that have `spoken`, whose errors are
    seen anyway, it says nothing: the tries that went before an error are no more than that error.
    """
    asked = {name: one for name, one in nodes.items() if one.requests or one.retried}
    hits = sum(one.retried > 0 and name not in spoken for name, one in asked.items())
    return Arm(sum(one.requests for one in asked.values()), len(asked), hits)


def slow(
    canary: Sequence[LatencySample], baseline: Sequence[LatencySample], usual: Baseline
) -> dict[float, tuple[Pair, ...]]:
    """Count, by cut and path group, who took longer than is usual there."""
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
    """Pair each request of the canary with the nearest one of the same path group; ties are none.

    Each is paired once.
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
    place = bisect_left(others, one.at, key=_at)
    near = range(max(0, place - 1), min(len(others), place + 1))
    return min(near, key=lambda number: abs(others[number].at - one.at))


def where(windows: Sequence[NodeWindow]) -> dict[str, int]:
    """Count the errors by path group."""
    found: Counter[str] = Counter()
    for one in windows:
        found.update(one.where)
    return dict(found)
