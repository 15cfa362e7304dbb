"""Counts what arrives malformed: every one counted, one log line per sender and minute."""

from collections import OrderedDict
from dataclasses import dataclass, field

SILENCE_S = 60.0
_MOST_SENDERS = 1000


@dataclass
class Faults:
    """The tally. Senders beyond the newest thousand are forgotten: no flood fills the memory."""

    total: int = 0
    _last_told: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def count(self, sender: str, now_s: float) -> bool:
        """Count one fault; say whether it is to be logged, by a monotonic clock in seconds."""
        self.total += 1
        last = self._last_told.get(sender)
        if last is not None and now_s - last < SILENCE_S:
            return False
        self._last_told[sender] = now_s
        self._last_told.move_to_end(sender)
        if len(self._last_told) > _MOST_SENDERS:
            self._last_told.popitem(last=False)
        return True
