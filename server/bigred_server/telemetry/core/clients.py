"""Tracks whether a client reaches several nodes or sticks to one. Pure."""

from dataclasses import dataclass, field

_MINUTE_S = 60.0
_FORGET_S = 600.0
_MOST = 50_000


@dataclass
class Clients:
    """Remembers each client's last node, and when it last used another one.

    A client that sticks to one node counts once, however many requests it sends: its errors may be
    its own fault. A client that moves between nodes counts again in every look.
    """

    _last: dict[str, tuple[str, float]] = field(default_factory=dict)
    _elsewhere: dict[str, float] = field(default_factory=dict)
    _known: set[tuple[str, str, str]] = field(default_factory=set)

    def begin(self) -> None:
        """Begin a deployment: every client counts again."""
        self._known.clear()

    def counts(self, client: str, node: str, now: float, what: str) -> bool:
        """Process a request; return whether its client counts (again) as a sample of `what`."""
        is_moving = self._is_moving(client, node, now)
        is_new = (client, node, what) not in self._known
        if is_new and len(self._known) < _MOST:
            self._known.add((client, node, what))
        return is_moving or is_new

    def _is_moving(self, client: str, node: str, now: float) -> bool:
        before = self._last.get(client)
        if before is not None and before[0] != node:
            self._elsewhere[client] = before[1]
        if len(self._last) >= _MOST and client not in self._last:
            self._forget(now)
        self._last[client] = (node, now)
        return now - self._elsewhere.get(client, float("-inf")) <= _MINUTE_S

    def _forget(self, now: float) -> None:
        old = [one for one, (_, at) in self._last.items() if now - at > _FORGET_S]
        for client in old or list(self._last)[: _MOST // 10]:
            self._last.pop(client, None)
            self._elsewhere.pop(client, None)
