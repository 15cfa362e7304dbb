"""How often a retained message is published again while others overwrite it. Pure.

Somebody may overwrite it by mistake once, in a loop, or in answer to ours: two owners of one topic,
each of which takes the other for a forger, must not keep a broker busy for ever. So there is at
most one repetition a second, and no more than a few in a row; then one a minute.
"""

import math
from dataclasses import dataclass

# A broker may echo our own messages, the one before the newest included: the newest follows it.
ECHO_S = 0.4
GAP_S = 1.0
IN_A_ROW = 10
REFILL_S = 60.0


@dataclass(frozen=True)
class Repetitions:
    """The repetitions of one topic so far.

    `last_s`: when the last one was (monotonic); `left`: how many more could have followed it with
    no more than the gap between them. Unless `is_limited`, there is always one more.
    """

    last_s: float = -math.inf
    left: float = float(IN_A_ROW)
    is_limited: bool = True

    def due_s(self, overwritten_s: float) -> float:
        """Return when to publish a message again that was overwritten at a monotonic time."""
        refill_s = (1.0 - self.left) * REFILL_S if self.is_limited else 0.0
        next_s = self.last_s + max(GAP_S, refill_s)
        return max(overwritten_s + ECHO_S, next_s)

    def repeated(self, now_s: float) -> "Repetitions":
        """Return the repetitions after another one."""
        refilled = self.left + (now_s - self.last_s) / REFILL_S
        left = max(0.0, min(IN_A_ROW, refilled) - 1.0)
        return Repetitions(now_s, left, self.is_limited)
