"""The baseline before a deployment: the share of errors, and the latency of each path group."""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any  # the journal keeps JSON

from bigred_server.judge.evidence import CUTS
from bigred_server.model.log_line import LogLine

_KEPT = 1000
_LEAST = 100
_MOST_GROUPS = 50
_KEEPS_S = 600.0


@dataclass(frozen=True)
class Baseline:
    """The baseline, frozen when a deployment begins.

    `errors`: the share of requests that failed. `cuts`: by path group and cut, the latency in
    milliseconds that this share of requests did not exceed; `any_group`: for unknown groups.
    """

    errors: float = 0.0
    cuts: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    any_group: Mapping[float, float] = field(default_factory=dict)

    def of(self, group: str) -> Mapping[float, float]:
        """Return the cuts of a path group; empty if nothing is known."""
        return self.cuts.get(group) or self.any_group

    def to_json(self) -> dict[str, Any]:
        """Return the baseline as JSON."""
        cuts = {group: list(one.values()) for group, one in self.cuts.items()}
        return {"errors": self.errors, "cuts": cuts, "any": list(self.any_group.values())}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Baseline":
        """Read the result of `to_json`."""
        cuts = {group: _cuts(one) for group, one in kept.get("cuts", {}).items()}
        return cls(float(kept.get("errors", 0.0)), cuts, _cuts(kept.get("any", [])))


def _cuts(values: list[float]) -> dict[float, float]:
    return dict(zip(CUTS, map(float, values), strict=False))


@dataclass
class BaselineLearner:
    """Learns the baseline from the requests of about the last ten minutes."""

    _took: dict[str, deque[int]] = field(default_factory=dict)
    _seen: deque[tuple[float, int, int]] = field(default_factory=deque)

    def learn(self, line: LogLine) -> None:
        """Learn from a log line."""
        self._count(line.at, 1, int(line.failed))
        if line.failed or line.took_ms < 0:
            return
        group = line.group
        if group in self._took or len(self._took) < _MOST_GROUPS:
            self._took.setdefault(group, deque(maxlen=_KEPT)).append(line.took_ms)

    def count(self, at: float, requests: int, errors: int) -> None:
        """Learn from HAProxy's counters if there are no log lines."""
        self._count(at, requests, errors)

    def _count(self, at: float, requests: int, errors: int) -> None:
        begin, total, failed = self._seen[-1] if self._seen else (float("-inf"), 0, 0)
        if at - begin < 1.0:
            self._seen[-1] = (begin, total + requests, failed + errors)
        else:
            self._seen.append((at, requests, errors))
        while self._seen and self._seen[0][0] < at - _KEEPS_S:
            self._seen.popleft()

    def frozen(self) -> Baseline:
        """Return the baseline as learnt so far."""
        requests, failed = (sum(one[n] for one in self._seen) for n in (1, 2))
        enough = {group: took for group, took in self._took.items() if len(took) >= _LEAST}
        every = [ms for took in self._took.values() for ms in took]
        return Baseline(
            failed / requests if requests else 0.0,
            {group: _quantiles(list(took)) for group, took in enough.items()},
            _quantiles(every) if len(every) >= _LEAST else {},
        )


def _quantiles(took: list[int]) -> dict[float, float]:
    ascending = sorted(took)
    return {cut: float(ascending[math.ceil(cut * len(took)) - 1]) for cut in CUTS}
