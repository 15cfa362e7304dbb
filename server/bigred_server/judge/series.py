"""A business metric that falls: a Poisson e-process against what the clock lets expect."""

import math

from bigred_server.judge.look import Bin
from bigred_server.judge.relative import Logs

FRACTIONS = (0.0, 0.1, 0.25, 0.5, 0.75)
START = (0.0,) * len(FRACTIONS)


def add(logs: Logs, one: Bin, tolerance: float) -> Logs:
    """Add a bin to the logarithms of the e-values, one for each fraction that is left.

    The null: at least `1 - tolerance` of what was expected still comes. Nothing is said of a bin
    without an expectation.
    """
    if not one.expected or one.expected <= 0:
        return logs
    floor = one.expected * (1.0 - tolerance)
    return tuple(
        log + one.seen * _log(fraction) + floor * (1.0 - fraction)
        for log, fraction in zip(logs, FRACTIONS, strict=True)
    )


def _log(fraction: float) -> float:
    # What was seen at all rules out that nothing is left.
    return math.log(fraction) if fraction else -1e9
