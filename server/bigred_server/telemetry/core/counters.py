"""HAProxy's own counters per look: exact and never decreasing. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigred_server.rollout.core.observation import Served
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.telemetry.core.comparison import NodeCounts


@dataclass
class Counting:
    """Counts per node since the current look began. A new HAProxy process counts from zero.

    `_total`: all requests since `begin`; `_finished`: those that had finished at the previous
    update.
    """

    _pid: int | None = None
    _last: dict[str, Served] = field(default_factory=dict)
    _sums: dict[str, NodeCounts] = field(default_factory=dict)
    _in_flight: int = 0
    _total: int = 0
    _finished: int = 0

    def update(self, look: FleetLook) -> None:
        """Process a look at the fleet; ignore it if HAProxy can't be read."""
        if look.pid is None:
            return
        is_new = self._pid is not None and look.pid != self._pid
        self._finished = self._total - self._in_flight
        self._in_flight = sum(node.pool.in_flight for node in look.nodes.values())
        for name, served in look.served.items():
            before = Served() if is_new else self._last.get(name, served)
            if served.requests < before.requests:
                # Somebody cleared the counters.
                before = Served()
            self._total += served.requests - before.requests
            had = self._sums.get(name, NodeCounts())
            self._sums[name] = had + NodeCounts(
                served.requests - before.requests,
                max(0, served.errors - before.errors),
                max(0, served.retried - before.retried),
            )
        self._pid, self._last = look.pid, dict(look.served)

    def since(self) -> Mapping[str, NodeCounts]:
        """Return the counts since the current look began."""
        return dict(self._sums)

    def missing(self, received: int) -> int:
        """Return how many log lines are missing if `received` have arrived since `begin`.

        Requests that had finished at the previous update should have their line by now. A line
        that arrives even later no longer counts as missing then.
        """
        return max(0, self._finished - received)

    def next_look(self) -> Mapping[str, NodeCounts]:
        """Begin a new look; return the counts of the one that ends."""
        sums, self._sums = self._sums, {}
        return sums

    def begin(self) -> None:
        """Begin from zero."""
        self.next_look()
        self._total = self._finished = 0
