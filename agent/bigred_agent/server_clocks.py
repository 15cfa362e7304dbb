"""What the box knows of the servers' clocks. Pure.

A message that carries a server's clock arrives a while after it was sent, so the clock seems to be
behind by that while. The least of several delays is nearest to the truth, and whatever is left of
it makes an event look older than it is, never younger.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigred_broker.messages import ServerClock

WINDOW_S = 20.0
"""How long a comparison counts: some beacons, and too short for two clocks to drift apart."""

_MOST_RUNS = 4
_MOST_COMPARISONS = 8


@dataclass(frozen=True)
class _Comparison:
    """At `heard_s` of the box's clock, a server's clock seemed to be `behind_s` behind it."""

    heard_s: float
    behind_s: float


@dataclass(frozen=True)
class ServerClocks:
    """The clocks of the servers last heard, by run. All times of the box are monotonic seconds."""

    _heard: Mapping[str, tuple[_Comparison, ...]] = field(default_factory=dict)

    def hear(self, clock: ServerClock, now_s: float) -> "ServerClocks":
        """Take in the clock in a message that has arrived now."""
        comparison = _Comparison(now_s, now_s - clock.at_ms / 1000)
        # A later comparison that is as near to the truth makes an earlier one superfluous.
        recent = [
            one
            for one in self._heard.get(clock.run, ())
            if now_s - one.heard_s <= WINDOW_S and one.behind_s < comparison.behind_s
        ][: _MOST_COMPARISONS - 1]
        others = {run: heard for run, heard in self._heard.items() if run != clock.run}
        newest = sorted(others, key=lambda run: others[run][-1].heard_s)[1 - _MOST_RUNS :]
        return ServerClocks(
            {**{run: others[run] for run in newest}, clock.run: (*recent, comparison)}
        )

    def at(self, at_s: float) -> tuple[ServerClock, ...]:
        """Return what each server's clock showed at a time of the box, never later than it did."""
        return tuple(
            ServerClock(run=run, at_ms=max(0.0, at_s - _least_behind_s(heard, at_s)) * 1000)
            for run, heard in self._heard.items()
        )


def _least_behind_s(heard: tuple[_Comparison, ...], at_s: float) -> float:
    """Return the least of the recent comparisons; if none is, the newest: the clocks may drift."""
    recent = [one.behind_s for one in heard if at_s - one.heard_s <= WINDOW_S]
    return min(recent, default=heard[-1].behind_s)
