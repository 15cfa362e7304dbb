"""Which messages are passed on, and which are too many.

A message is dropped on the network thread, before it is decoded or queued, if its source sends too
many. So the work and the memory that one source can cause are bounded, however many it sends.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Bucket:
    """A token bucket: so many at once, and so many per second later. Pure but for its own count."""

    per_s: float
    burst: float
    _left: float = field(init=False)
    _at_s: float | None = None

    def __post_init__(self) -> None:
        self._left = self.burst

    def take(self, now_s: float) -> bool:
        """Take a token at a monotonic time; return whether there was one."""
        self._fill(now_s)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def reserve_s(self, now_s: float) -> float:
        """Take a token in any case; return the seconds until there is one, 0 if there was."""
        self._fill(now_s)
        self._left -= 1.0
        return max(0.0, -self._left / self.per_s)

    def _fill(self, now_s: float) -> None:
        if self._at_s is not None:
            self._left = min(self.burst, self._left + (now_s - self._at_s) * self.per_s)
        self._at_s = now_s


@dataclass(frozen=True)
class Limits:
    """The limits of one source: up to `burst` messages at once, and `per_s` per second later.

    It floods if it sends more than `flood` messages at once, and four times `per_s` later.
    """

    per_s: float = 50.0
    burst: float = 100.0
    flood: float = 400.0

    @property
    def flood_per_s(self) -> float:
        """How many messages per second are a flood."""
        return 4.0 * self.per_s


@dataclass
class _Source:
    passed: Bucket
    flood: Bucket
    is_flooding: bool = False
    dropped: int = 0


@dataclass
class Admission:
    """Admits messages by their source. Thread-safe.

    `source_of` maps a topic to its source; there must be a bounded number of sources. `limits_of`
    gives the limits of a source. `flooded` is called once, on the network thread, when a source
    floods; it must not raise.
    """

    source_of: Callable[[str], str]
    flooded: Callable[[str], None] = lambda _source: None
    limits_of: Callable[[str], Limits] = lambda _source: Limits()
    now: Callable[[], float] = time.monotonic
    _sources: dict[str, _Source] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admits(self, topic: str) -> bool:
        """Count a message; return whether to pass it on."""
        name, now_s = self.source_of(topic), self.now()
        with self._lock:
            source = self._sources.get(name)
            if source is None:
                limits = self.limits_of(name)
                source = self._sources[name] = _Source(
                    Bucket(limits.per_s, limits.burst),
                    Bucket(limits.flood_per_s, limits.flood),
                )
            begins = not source.flood.take(now_s) and not source.is_flooding
            source.is_flooding |= begins
            admitted = not source.is_flooding and source.passed.take(now_s)
            source.dropped += not admitted
        if begins:
            self.flooded(name)
        return admitted

    def readmit(self, source: str) -> None:
        """Give a source that flooded another chance."""
        with self._lock:
            self._sources.pop(source, None)

    def take_dropped(self) -> dict[str, int]:
        """Return how many messages of each source were dropped since the last call."""
        with self._lock:
            dropped = {name: one.dropped for name, one in self._sources.items() if one.dropped}
            for name in dropped:
                self._sources[name].dropped = 0
        return dropped
