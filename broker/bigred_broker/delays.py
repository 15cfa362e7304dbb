"""The delays between attempts to reach the broker."""

import random
from collections.abc import Callable, Iterator

_FIRST_S = 0.5
LONGEST_S = 15.0


MOST_SPREAD_S = 30.0


def spread(most_s: float, dice: Callable[[], float] = random.random) -> float:
    """Return when to do what thousands of others are about to do too: 0 to so many seconds.

    A broker accepts some thousand clients a second, and drops what comes beyond that: who is
    dropped tries again much later.
    """
    return min(most_s, MOST_SPREAD_S) * dice()


def delays(dice: Callable[[], float] = random.random) -> Iterator[float]:
    """Yield the delays in seconds: doubling, each drawn from between half of it and all of it.

    Random, so that a hundred boxes that lost the broker together do not come back together.
    """
    longest = _FIRST_S
    while True:
        yield longest * (0.5 + dice() / 2)
        longest = min(longest * 2, LONGEST_S)
