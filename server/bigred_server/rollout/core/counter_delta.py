"""What HAProxy counted during a deployment, carried over its restarts."""

from dataclasses import asdict, dataclass, replace
from typing import Any  # read from JSON

from bigred_server.rollout.core.observation import Counters

ZERO = Counters(0, 0, 0)


@dataclass(frozen=True)
class CounterDelta:
    """`base` is where the process `pid` stood at the start; `carried` what others counted before.

    HAProxy counts from zero again in a new process: its pid tells.
    """

    pid: int
    base: Counters
    seen: Counters
    carried: Counters = ZERO

    @property
    def total(self) -> Counters:
        """What was counted since the start."""
        return _plus(self.carried, _minus(self.seen, self.base))

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON."""
        return asdict(self)


def begin(pid: int, counters: Counters) -> CounterDelta:
    """Begin to count."""
    return CounterDelta(pid, counters, counters)


def from_json(data: dict[str, Any]) -> CounterDelta:
    """Read what `to_json` gave."""
    parts = {name: Counters(**data[name]) for name in ("base", "seen", "carried")}
    return CounterDelta(pid=data["pid"], **parts)


def track(tally: CounterDelta, pid: int, counters: Counters) -> CounterDelta:
    """Take in a new look. Fewer requests than before: a person had the counters cleared."""
    if pid != tally.pid or counters.requests < tally.seen.requests:
        return CounterDelta(pid, ZERO, counters, carried=tally.total)
    return replace(tally, seen=counters)


def _plus(a: Counters, b: Counters) -> Counters:
    return Counters(a.requests + b.requests, a.errors_5xx + b.errors_5xx, a.retried + b.retried)


def _minus(a: Counters, b: Counters) -> Counters:
    return Counters(a.requests - b.requests, a.errors_5xx - b.errors_5xx, a.retried - b.retried)
