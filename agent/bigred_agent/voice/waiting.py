"""The sentences that wait to be spoken: few, and none that is old."""

from collections import deque
from dataclasses import dataclass, field

MOST_SENTENCES = 5
STALE_S = 10.0


@dataclass
class WaitingSentences:
    """A queue in which the newest wins. Times are monotonic seconds."""

    _sentences: deque[tuple[str, float]] = field(
        default_factory=lambda: deque(maxlen=MOST_SENTENCES)
    )

    def put(self, text: str, now_s: float) -> bool:
        """Queue a sentence; say whether the oldest was dropped for it."""
        dropped = len(self._sentences) == MOST_SENTENCES
        self._sentences.append((text, now_s))
        return dropped

    def take(self, now_s: float) -> str | None:
        """Give the next sentence that is still worth saying, or None."""
        while self._sentences:
            text, at_s = self._sentences.popleft()
            if now_s - at_s <= STALE_S:
                return text
        return None
