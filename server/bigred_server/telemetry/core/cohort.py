"""The side of the comparison that a node is on, and was on when a request began. Pure."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

_KEPT = 16


class Cohort(StrEnum):
    """CANARY: it serves the new release. WARMING: since a moment ago. BASELINE: the old one."""

    CANARY = "canary"
    WARMING = "warming"
    BASELINE = "baseline"


@dataclass(frozen=True)
class Membership:
    """Where a node stands: its side, if any; `is_new`: it runs the new release (None: neither)."""

    cohort: Cohort | None = None
    is_new: bool | None = None


@dataclass
class CohortHistory:
    """Where each server stood, and since when (Unix time): a request is judged by its beginning."""

    _places: dict[str, deque[tuple[float, Membership]]] = field(default_factory=dict)

    def set(self, server: str, place: Membership, now: float) -> None:
        """Take in where a server stands."""
        known = self._places.setdefault(server, deque(maxlen=_KEPT))
        if not known or known[-1][1] != place:
            known.append((now, place))

    def at(self, server: str, moment: float) -> Membership:
        """Say where a server stood at a moment."""
        for since, place in reversed(self._places.get(server, ())):
            if since <= moment:
                return place
        return Membership()

    def clear(self) -> None:
        """Forget everything."""
        self._places.clear()
