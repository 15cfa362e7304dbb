"""Errors of the new release beside those of the old one: an e-process over odds ratios.

Under "the new release's odds of an error are at most `odds` times the old one's" each error is the
new release's with probability rho, its share of what was asked. The mixture below is then an
e-process: chance brings it over 100 at most once in a hundred releases, whenever one looks. Source:
Lindon and Malek, Anytime-Valid Inference For Multinomial Count Data, 2022.
"""

import math
from collections.abc import Sequence

from bigred_server.judge.look import Arm

# Few, for each costs some power: from a build that fails twice as often to one that always fails.
RATIOS = (2.0, 5.0, 12.0, 50.0)
START = (0.0,) * len(RATIOS)

Logs = tuple[float, ...]


def add(logs: Logs, canary: int, baseline: int, rho: float, odds: float = 1.0) -> Logs:
    """Add the errors of one look to the logarithms of the e-values, one for each ratio."""
    if not 0.0 < rho < 1.0 or not (canary or baseline):
        return logs
    base = odds * rho / (1.0 - rho)
    return tuple(
        log + canary * math.log(ratio) + (canary + baseline) * _shrink(base, ratio)
        for log, ratio in zip(logs, RATIOS, strict=True)
    )


def _shrink(base: float, ratio: float) -> float:
    return math.log1p(base) - math.log1p(ratio * base)


def rho(canary: Arm, baseline: Arm) -> float:
    """Give the new release's share of what was asked, as the null sees it.

    While errors are rare the share of requests is right; where everybody fails that of the units.
    The greater one is on the safe side of both, and of all between.
    """
    return max(
        _share(canary.requests, baseline.requests),
        _share(canary.units, baseline.units),
    )


def log_mean(logs: Sequence[float]) -> float:
    """Give the logarithm of the mean of the values whose logarithms these are."""
    most = max(logs)
    return most + math.log(sum(math.exp(log - most) for log in logs) / len(logs))


def value(log: float) -> float:
    """Give the e-value of a logarithm, never more than a float can hold."""
    return math.exp(min(log, 700.0))


def _share(part: float, rest: float) -> float:
    return part / (part + rest) if part + rest else 0.0
