"""What the HAProxies counted during a deployment, added up across their restarts."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import reduce
from typing import Any  # read from JSON

from bigred_server.rollout.core.observation import Counters, ProcessCounters

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


def track(
    deltas: Mapping[str, CounterDelta], seen: Mapping[str, ProcessCounters]
) -> dict[str, CounterDelta]:
    """Add the counters of a new look, by the addresses of the HAProxies; start with the first."""
    return {
        address: _tracked(deltas.get(address), one.pid, one.counters)
        for address, one in seen.items()
    }


def _tracked(delta: CounterDelta | None, pid: int, counters: Counters) -> CounterDelta:
    if delta is None:
        return CounterDelta(pid, counters, counters)
    # If requests decreased, somebody cleared the counters.
    if pid != delta.pid or counters.requests < delta.seen.requests:
        return CounterDelta(pid, ZERO, counters, carried=delta.total)
    return replace(delta, seen=counters)


def total(deltas: Iterable[CounterDelta]) -> Counters:
    """Return the counts of all HAProxies."""
    return reduce(_plus, (delta.total for delta in deltas), ZERO)


def pids(deltas: Mapping[str, CounterDelta]) -> dict[str, int]:
    """Return the processes that are counted."""
    return {address: delta.pid for address, delta in deltas.items()}


def to_json(deltas: Mapping[str, CounterDelta]) -> dict[str, Any]:
    """Return them as JSON."""
    return {address: asdict(delta) for address, delta in deltas.items()}


def from_json(data: Mapping[str, Any]) -> dict[str, CounterDelta]:
    """Restore what `to_json` returned; what an earlier version kept as one sum is left out."""
    return {
        address: CounterDelta(
            pid=kept["pid"],
            **{name: Counters(**kept[name]) for name in ("base", "seen", "carried")},
        )
        for address, kept in data.items()
        if isinstance(kept, Mapping) and "pid" in kept
    }


def _plus(a: Counters, b: Counters) -> Counters:
    return Counters(a.requests + b.requests, a.errors_5xx + b.errors_5xx, a.retried + b.retried)


def _minus(a: Counters, b: Counters) -> Counters:
    return Counters(a.requests - b.requests, a.errors_5xx - b.errors_5xx, a.retried - b.retried)
