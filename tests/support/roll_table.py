"""The figures of `./bigred bench roll`, put together and compared with what is wanted. Pure."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from tests.support.roll_cases import RollCase, Way

_COLUMNS = ("median", "fastest", "slowest", "factor", "requests", "failed", "longest")


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
