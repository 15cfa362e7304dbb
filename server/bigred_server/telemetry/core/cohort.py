"""The cohort of a node in the comparison, now and when a request began. Pure."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

_KEPT = 16


class Cohort(StrEnum):
    """CANARY: serves the new release. WARMING: the same, but only just. BASELINE: the old one."""

    CANARY = "canary"
    WARMING = "warming"
    BASELINE = "baseline"


@dataclass(frozen=True)
class Membership:
    """A node's cohort, if any. `is_new`: whether it runs the new release; None for neither."""

    cohort: Cohort | None = None
    is_new: bool | None = None


@dataclass
class CohortHistory:
    """Each server's memberships, with their start (Unix time).

    A request belongs to the cohort in which its server was when the request began.
    """

    _memberships: dict[str, deque[tuple[float, Membership]]] = field(default_factory=dict)

    def set(self, server: str, membership: Membership, now: float) -> None:
        """Record the membership of a server."""
        known = self._memberships.setdefault(server, deque(maxlen=_KEPT))
        if not known or known[-1][1] != membership:
            known.append((now, membership))

    def at(self, server: str, moment: float) -> Membership:
        """Return the membership of a server at a moment."""
        for since, membership in reversed(self._memberships.get(server, ())):
            if since <= moment:
                return membership
        return Membership()

    def clear(self) -> None:
        """Forget everything."""
        self._memberships.clear()
