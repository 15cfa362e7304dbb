"""The sentences waiting to be spoken: a few, and none that is stale."""

from collections import deque
from dataclasses import dataclass, field

MOST_SENTENCES = 5
STALE_S = 10.0


@dataclass
class SentenceQueue:
    """A queue that drops the oldest when full. Times are monotonic seconds."""

    _sentences: deque[tuple[str, float]] = field(
        default_factory=lambda: deque(maxlen=MOST_SENTENCES)
    )

    def put(self, text: str, now_s: float) -> bool:
        """Queue a sentence; return whether the oldest was dropped for it."""
        dropped = len(self._sentences) == MOST_SENTENCES
        self._sentences.append((text, now_s))
        return dropped

    def pop(self, now_s: float) -> str | None:
        """Return the next sentence that is not stale, or None."""
        while self._sentences:
            text, at_s = self._sentences.popleft()
            if now_s - at_s <= STALE_S:
                return text
        return None
