"""What HAProxy counted during a deployment, added up across HAProxy's restarts."""

from dataclasses import asdict, dataclass, replace
from typing import Any  # read from JSON

from bigred_server.rollout.core.observation import Counters

ZERO = Counters(0, 0, 0)


@dataclass(frozen=True)
class CounterDelta:
    """The counters of one HAProxy process since a start, and of the processes before it.

    `base`: the counters of process `pid` at the start; `seen`: its latest ones. `carried`: what
    earlier processes counted. A new process, recognised by its pid, counts from zero.
    """

    pid: int
    base: Counters
    seen: Counters
    carried: Counters = ZERO

    @property
    def total(self) -> Counters:
        """The counts since the start."""
        return _plus(self.carried, _minus(self.seen, self.base))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def begin(pid: int, counters: Counters) -> CounterDelta:
    """Start counting."""
    return CounterDelta(pid, counters, counters)


def from_json(data: dict[str, Any]) -> CounterDelta:
    """Restore what `to_json` returned."""
    parts = {name: Counters(**data[name]) for name in ("base", "seen", "carried")}
    return CounterDelta(pid=data["pid"], **parts)


def track(delta: CounterDelta, pid: int, counters: Counters) -> CounterDelta:
    """Add the counters of a new look. If requests decreased, somebody cleared the counters."""
    if pid != delta.pid or counters.requests < delta.seen.requests:
        return CounterDelta(pid, ZERO, counters, carried=delta.total)
    return replace(delta, seen=counters)


def _plus(a: Counters, b: Counters) -> Counters:
    return Counters(a.requests + b.requests, a.errors_5xx + b.errors_5xx, a.retried + b.retried)


def _minus(a: Counters, b: Counters) -> Counters:
    return Counters(a.requests - b.requests, a.errors_5xx - b.errors_5xx, a.retried - b.retried)
