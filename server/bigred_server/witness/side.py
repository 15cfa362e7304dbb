"""The side of the comparison that a node is on, and was on when a request began. Pure."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

_KEPT = 16


class Side(StrEnum):
    """CANARY: it serves the new release. WARMING: since a moment ago. BASELINE: the old one."""

    CANARY = "canary"
    WARMING = "warming"
    BASELINE = "baseline"


@dataclass(frozen=True)
class Stand:
    """Where a node stands: its side, if any; `is_new`: it runs the new release (None: neither)."""

    side: Side | None = None
    is_new: bool | None = None


@dataclass
class Past:
    """Where each server stood, and since when (Unix time): a request is judged by its beginning."""

    _stands: dict[str, deque[tuple[float, Stand]]] = field(default_factory=dict)

    def set(self, server: str, stand: Stand, now: float) -> bool:
        """Take in where a server stands; say whether that is new."""
        known = self._stands.setdefault(server, deque(maxlen=_KEPT))
        if known and known[-1][1] == stand:
            return False
        known.append((now, stand))
        return True

    def at(self, server: str, moment: float) -> Stand:
        """Say where a server stood at a moment."""
        for since, stand in reversed(self._stands.get(server, ())):
            if since <= moment:
                return stand
        return Stand()

    def clear(self) -> None:
        """Forget everything."""
        self._stands.clear()
