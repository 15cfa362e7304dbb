"""What `./bigred bench roll` measures, what it wants, and its table. Pure."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from bigred_server.rollout.core.policy import share
from bigred_server.rollout.core.target import Strategy

SLOW_S = 5.0

_MOST_S = {(Strategy.REDEPLOY, 4): 1.0, (Strategy.PARALLEL, 4): 0.8}


class Way(StrEnum):
    """Who deploys, and how."""

    BIGRED = "Bigred, 200 warm-up requests"
    BIGRED_COLD = "Bigred, no warm-up"
    BY_HAND = "by hand"
    BY_HAND_TWO = "by hand, two at a time"
    PUT = "Manager by hand, nothing else"
    ANSIBLE = "Ansible, community.general.haproxy"
    ANCESTOR = "the ancestor, HAProxy plain"

    @property
    def is_ours(self) -> bool:
        """Whether Bigred does it."""
        return self in (Way.BIGRED, Way.BIGRED_COLD)

    @property
    def option(self) -> str:
        """What `--peers` calls it: "hand" for all that are done by hand; "" for Bigred."""
        if self.is_ours:
            return ""
        return {Way.ANSIBLE: "ansible", Way.ANCESTOR: "ancestor"}.get(self, "hand")


@dataclass(frozen=True)
class RollCase:
    """A site: its strategy, its nodes, and whether some requests take up to 5 s."""

    strategy: Strategy
    nodes: int
    slow: bool = False

    def __str__(self) -> str:
        requests = f"some {SLOW_S:.0f} s requests" if self.slow else "fast requests"
        return f"{self.strategy}, {self.nodes} nodes, {requests}"

    @property
    def at_a_time(self) -> int:
        """How many nodes Bigred's default for `min_healthy` lets go at once."""
        return self.nodes - share(None, self.nodes)

    def ways(self) -> tuple[Way, ...]:
        """Return who deploys here. Ansible and the ancestor only restart."""
        if self.strategy is Strategy.REDEPLOY:
            return (Way.BIGRED, Way.BIGRED_COLD, Way.BY_HAND, Way.PUT)
        if self.strategy is Strategy.PARALLEL:
            return (Way.BIGRED, Way.BIGRED_COLD, Way.PUT)
        two = (Way.BY_HAND_TWO,) if self.at_a_time > 1 else ()
        return (Way.BIGRED, Way.BIGRED_COLD, Way.BY_HAND, *two, Way.ANSIBLE, Way.ANCESTOR)

    def peer(self) -> Way:
        """Return what Bigred is compared with."""
        if self.strategy is not Strategy.RESTART:
            return Way.PUT
        return Way.BY_HAND_TWO if self.at_a_time > 1 else Way.BY_HAND

    def most_factor(self, way: Way) -> float | None:
        """Return how many times as long as its peer a way may take."""
        if self.strategy is not Strategy.RESTART or not way.is_ours:
            return None
        if self.slow:
            return 1.1 if way is Way.BIGRED_COLD else None
        return 1.2 if way is Way.BIGRED_COLD else 1.35

    def most_s(self, way: Way) -> float | None:
        """Return how long a way may take."""
        return _MOST_S.get((self.strategy, self.nodes)) if way is Way.BIGRED_COLD else None


@dataclass(frozen=True)
class RollRun:
    """One deployment: how long it took, and the requests of its customers.

    `longest_s`: how long one of them had to wait, other than for an answer that is slow on purpose.
    """

    case: RollCase
    way: Way
    seconds: float
    requests: int
    failed: int
    longest_s: float


@dataclass(frozen=True)
class RollRow:
    """All deployments of one way on one site; `factor` is to the peer."""

    case: RollCase
    way: Way
    seconds: tuple[float, ...]
    requests: int
    failed: int
    longest_s: float
    factor: float | None

    @property
    def median_s(self) -> float:
        """The median, in seconds."""
        return statistics.median(self.seconds)

    def faults(self) -> list[str]:
        """Name each figure that is wanted and missed."""
        most, most_s = self.case.most_factor(self.way), self.case.most_s(self.way)
        found = []
        if most is not None and (self.factor is None or self.factor > most):
            found.append(f"wanted at most {most:g} x {self.case.peer()}")
        if most_s is not None and self.median_s > most_s:
            found.append(f"wanted at most {most_s:g} s")
        if self.way.is_ours and self.failed:
            found.append("wanted no failed request")
        return found

    def as_json(self) -> dict[str, object]:
        """Return it for a JSON file."""
        return {
            **asdict(self),
            "case": asdict(self.case),
            "median_s": self.median_s,
            "peer": self.case.peer(),
            "faults": self.faults(),
        }


_COLUMNS = ("median", "fastest", "slowest", "factor", "requests", "failed", "longest")


def table(runs: Sequence[RollRun]) -> list[RollRow]:
    """Put the runs together: a row for each way on each site, in the order of their first runs."""
    keys = list(dict.fromkeys((run.case, run.way) for run in runs))
    return [_row(case, way, runs) for case, way in keys]


def head(case: RollCase) -> str:
    """Format the head of a site's table."""
    return f"{case!s:<38}" + "".join(f"{name:>9}" for name in _COLUMNS)


def line(row: RollRow) -> str:
    """Format a row."""
    seconds = (row.median_s, min(row.seconds), max(row.seconds))
    cells = [f"{value:.2f}" for value in seconds]
    cells += ["" if row.factor is None else f"{row.factor:.2f}"]
    cells += [str(row.requests), str(row.failed), f"{row.longest_s:.2f}"]
    faults = "; ".join(row.faults())
    return f"{row.way:<38}" + "".join(f"{cell:>9}" for cell in cells) + (faults and f"  {faults}")


def _row(case: RollCase, way: Way, runs: Iterable[RollRun]) -> RollRow:
    ours = [run for run in runs if (run.case, run.way) == (case, way)]
    peers = [run.seconds for run in runs if (run.case, run.way) == (case, case.peer())]
    seconds = tuple(run.seconds for run in ours)
    return RollRow(
        case=case,
        way=way,
        seconds=seconds,
        requests=sum(run.requests for run in ours),
        failed=sum(run.failed for run in ours),
        longest_s=max(run.longest_s for run in ours),
        factor=statistics.median(seconds) / statistics.median(peers) if peers else None,
    )
