"""Counts malformed messages: every one is counted, and one per sender and minute is logged."""

from collections import OrderedDict
from dataclasses import dataclass, field

SILENCE_S = 60.0
_MOST_SENDERS = 1000


@dataclass
class Faults:
    """The counter. It remembers the latest thousand senders, so that no flood fills the memory."""

    total: int = 0
    _last_logged: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def count(self, sender: str, now_s: float) -> bool:
        """Count one fault at a monotonic time; return whether to log it."""
        self.total += 1
        last = self._last_logged.get(sender)
        if last is not None and now_s - last < SILENCE_S:
            return False
        self._last_logged[sender] = now_s
        self._last_logged.move_to_end(sender)
        if len(self._last_logged) > _MOST_SENDERS:
            self._last_logged.popitem(last=False)
        return True
