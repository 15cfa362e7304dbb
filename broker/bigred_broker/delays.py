"""The waits between attempts to reach the broker."""

import random
from collections.abc import Callable, Iterator

_FIRST_S = 0.5
LONGEST_S = 15.0


def delays(dice: Callable[[], float] = random.random) -> Iterator[float]:
    """Give the waits between attempts in seconds: doubling, each spread over half to all of it.

    Spread, because a hundred boxes that lost the broker together must not come back together.
    """
    longest = _FIRST_S
    while True:
        yield longest * (0.5 + dice() / 2)
        longest = min(longest * 2, LONGEST_S)
