"""What would have been caught: the least regression that is found in 19 of 20 cases."""

import math

from bigred_server.judge.look import Arm
from bigred_server.judge.relative import START, add, log_mean, rho

POWER = 0.95
_STEPS = 14
# From here on the normal approximation is as good, and its cost does not grow.
_MANY = 40


def smallest(canary: Arm, baseline: Arm, level: float, odds: float = 1.0) -> float | None:
    """Give the smallest share of bad requests that would have brought the evidence to `level`.

    Given what the old release did meanwhile; None when not even a release that does nothing right
    would have been caught.
    """
    asked = canary.units
    needed = _needed(asked, baseline.hits, rho(canary, baseline), math.log(level), odds)
    if needed is None or _at_least(needed, asked, 1.0) < POWER:
        return None
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _at_least(needed, asked, middle) >= POWER:
            high = middle
        else:
            low = middle
    return high


def _needed(asked: int, others: int, share: float, level: float, odds: float) -> int | None:
    """Give the least number of errors that is enough."""
    if not 0.0 < share < 1.0 or asked <= 0:
        return None
    low, high = 0, asked
    if log_mean(add(START, high, others, share, odds)) < level:
        return None
    while low < high:
        middle = (low + high) // 2
        if log_mean(add(START, middle, others, share, odds)) >= level:
            high = middle
        else:
            low = middle + 1
    return low


def _at_least(needed: int, asked: int, chance: float) -> float:
    """Give the probability of `needed` errors or more among `asked` requests."""
    if needed <= 0 or chance >= 1.0:
        return 1.0 if needed <= asked else 0.0
    if chance <= 0.0:
        return 0.0
    if needed > _MANY:
        spread = math.sqrt(2 * asked * chance * (1 - chance))
        return 0.5 * math.erfc((needed - 0.5 - asked * chance) / spread)
    log, other = math.log(chance), math.log1p(-chance)
    fewer = sum(
        math.exp(_log_choose(asked, k) + k * log + (asked - k) * other) for k in range(needed)
    )
    return 1.0 - min(1.0, fewer)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
