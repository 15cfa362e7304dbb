"""A drop of a business metric: a Poisson e-process against the count expected at that time."""

import math

from bigred_server.judge.look import Bin
from bigred_server.judge.relative import Logs

FRACTIONS = (0.0, 0.1, 0.25, 0.5, 0.75)
START = (0.0,) * len(FRACTIONS)


def add(logs: Logs, one: Bin, tolerance: float) -> Logs:
    """Add a bin to the log e-values, one per fraction of the expected count that remains.

    Null hypothesis: at least `1 - tolerance` of the expected count. A bin without an expectation
    adds nothing.
    """
    if not one.expected or one.expected <= 0:
        return logs
    floor = one.expected * (1.0 - tolerance)
    return tuple(
        log + one.seen * _log(fraction) + floor * (1.0 - fraction)
        for log, fraction in zip(logs, FRACTIONS, strict=True)
    )


def _log(fraction: float) -> float:
    # One event is enough to rule out that nothing remains.
    return math.log(fraction) if fraction else -1e9
