"""Errors of the new release compared with the old one: an e-process over odds ratios.

Null hypothesis: the new release's odds of an error are at most `odds` times those of the old one.
With `odds` 1, each error then belongs to the new release with probability rho, its share of the
requests. The mixture below is an e-process: by chance alone it exceeds 100 in at most one of a
hundred releases, however often it is checked. Source: Lindon and Malek, Anytime-Valid Inference
For Multinomial Count Data, 2022.
"""

import math
from collections.abc import Sequence

from bigred_server.judge.look import Arm

# From a build that fails twice as often to one that always fails. Few, as each costs some power.
RATIOS = (2.0, 5.0, 12.0, 50.0)
START = (0.0,) * len(RATIOS)

Logs = tuple[float, ...]


def add(logs: Logs, canary: int, baseline: int, rho: float, odds: float = 1.0) -> Logs:
    """Add the errors of one look to the log e-values, one per odds ratio."""
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
    """Return the new release's share of the traffic under the null hypothesis.

    While errors are rare, its share of requests is right; if every client meets an error, its
    share of units. The greater of the two is on the safe side in both cases and between them.
    """
    return max(
        _share(canary.requests, baseline.requests),
        _share(canary.units, baseline.units),
    )


def log_mean(logs: Sequence[float]) -> float:
    """Return the logarithm of the mean of values, given their logarithms."""
    most = max(logs)
    return most + math.log(sum(math.exp(log - most) for log in logs) / len(logs))


def value(log: float) -> float:
    """Return the e-value of a logarithm, capped at what a float can hold."""
    return math.exp(min(log, 700.0))


def _share(part: float, rest: float) -> float:
    return part / (part + rest) if part + rest else 0.0
