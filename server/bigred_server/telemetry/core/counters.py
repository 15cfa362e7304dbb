"""HAProxy's own counters, look by look: exact, and never less than before. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigred_server.rollout.core.observation import Served
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.telemetry.core.comparison import NodeCounts


@dataclass
class Counting:
    """What was counted at each node since the last cut. A new process counts from zero again.

    `_total`: all requests since the beginning; `_over`: those that were over one look ago.
    """

    _pid: int | None = None
    _last: dict[str, Served] = field(default_factory=dict)
    _sums: dict[str, NodeCounts] = field(default_factory=dict)
    _in_flight: int = 0
    _total: int = 0
    _over: int = 0

    def see(self, look: FleetLook) -> None:
        """Take in a look; nothing while HAProxy can't be read."""
        if look.pid is None:
            return
        is_new = self._pid is not None and look.pid != self._pid
        self._over = self._total - self._in_flight
        self._in_flight = sum(node.pool.in_flight for node in look.nodes.values())
        for name, served in look.served.items():
            before = Served() if is_new else self._last.get(name, served)
            if served.requests < before.requests:
                # A person had the counters cleared.
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
        """Give the counts since the last cut."""
        return dict(self._sums)

    def missing(self, taken: int) -> int:
        """Say how many log lines are missing, of so many taken since the beginning.

        Those of what was over a look ago should have come; one that is later still is missing no
        more when it comes.
        """
        return max(0, self._over - taken)

    def cut(self) -> Mapping[str, NodeCounts]:
        """Begin a new look; give the counts until now."""
        sums, self._sums = self._sums, {}
        return sums

    def begin(self) -> None:
        """Begin from zero."""
        self.cut()
        self._total = self._over = 0
