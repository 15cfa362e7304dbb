"""HAProxy's own counters, look by look: exact, and never less than before. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigred_server.rollout.fleet import FleetLook
from bigred_server.rollout.look import Served
from bigred_server.witness.comparison import NodeCounts


@dataclass
class Counting:
    """What was counted at each node since the last cut. A new process counts from zero again."""

    _pid: int | None = None
    _last: dict[str, Served] = field(default_factory=dict)
    _sums: dict[str, NodeCounts] = field(default_factory=dict)
    _in_flight: int = 0
    _over: int = 0

    def see(self, look: FleetLook) -> None:
        """Take in a look; nothing while HAProxy can't be read."""
        if look.pid is None:
            return
        is_new = self._pid is not None and look.pid != self._pid
        # By the next look the lines of what was over at this one have come, or never will.
        self._over = sum(one.requests for one in self._sums.values()) - self._in_flight
        self._in_flight = sum(node.in_flight for node in look.nodes.values())
        for name, served in look.served.items():
            before = Served() if is_new else self._last.get(name, served)
            if served.requests < before.requests:
                # A person had the counters cleared.
                before = Served()
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

    def lost(self, taken: int) -> int:
        """Say how many log lines are missing for certain: of requests that are surely over."""
        return max(0, self._over - taken)

    def cut(self) -> Mapping[str, NodeCounts]:
        """Begin anew; give the counts until now."""
        sums, self._sums, self._over = self._sums, {}, 0
        return sums
