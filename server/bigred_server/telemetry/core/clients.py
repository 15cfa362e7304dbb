"""Who the clients are: whether one is seen at several nodes, or stays at one. Pure."""

from dataclasses import dataclass, field

_MINUTE_S = 60.0
_FORGET_S = 600.0
_MOST = 50_000


@dataclass
class Clients:
    """Remembers, of each client, where it was last and when it was elsewhere.

    One that stays at one node is one witness all the time, however often it asks: what it meets may
    be its own fault. One that comes around is a new witness in every look.
    """

    _last: dict[str, tuple[str, float]] = field(default_factory=dict)
    _elsewhere: dict[str, float] = field(default_factory=dict)
    _known: set[tuple[str, str, str]] = field(default_factory=set)

    def begin(self) -> None:
        """Have everybody be a witness again: another deployment begins."""
        self._known.clear()

    def counts(self, client: str, node: str, now: float, what: str) -> bool:
        """Take in a request; say whether it counts as one more witness of what it is about."""
        comes_around = self._comes_around(client, node, now)
        is_new = (client, node, what) not in self._known
        if is_new and len(self._known) < _MOST:
            self._known.add((client, node, what))
        return comes_around or is_new

    def _comes_around(self, client: str, node: str, now: float) -> bool:
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
