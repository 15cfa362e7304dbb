"""Statistical power: the smallest regression that would be detected in 19 of 20 cases."""

import math

from bigred_server.judge.look import Arm
from bigred_server.judge.relative import START, add, log_mean, rho

POWER = 0.95
_STEPS = 14
# From here on, the normal approximation is just as good, and its cost does not grow.
_MANY = 40


def smallest(canary: Arm, baseline: Arm, level: float, odds: float = 1.0) -> float | None:
    """Return the smallest share of bad requests that would have brought the evidence to `level`.

    The old release's results are taken as they were. Return None if not even a release that fails
    every request would have been detected.
    """
    units = canary.units
    needed = _needed(units, baseline.hits, rho(canary, baseline), math.log(level), odds)
    if needed is None or _at_least(needed, units, 1.0) < POWER:
        return None
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _at_least(needed, units, middle) >= POWER:
            high = middle
        else:
            low = middle
    return high


def _needed(units: int, others: int, share: float, level: float, odds: float) -> int | None:
    """Return the smallest number of errors that reaches `level`, None if none does."""
    if not 0.0 < share < 1.0 or units <= 0:
        return None
    low, high = 0, units
    if log_mean(add(START, high, others, share, odds)) < level:
        return None
    while low < high:
        middle = (low + high) // 2
        if log_mean(add(START, middle, others, share, odds)) >= level:
            high = middle
        else:
            low = middle + 1
    return low


def _at_least(needed: int, units: int, chance: float) -> float:
    """Return the probability of at least `needed` errors among `units`."""
    if needed <= 0 or chance >= 1.0:
        return 1.0 if needed <= units else 0.0
    if chance <= 0.0:
        return 0.0
    if needed > _MANY:
        spread = math.sqrt(2 * units * chance * (1 - chance))
        return 0.5 * math.erfc((needed - 0.5 - units * chance) / spread)
    log, other = math.log(chance), math.log1p(-chance)
    fewer = sum(
        math.exp(_log_choose(units, k) + k * log + (units - k) * other) for k in range(needed)
    )
    return 1.0 - min(1.0, fewer)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
