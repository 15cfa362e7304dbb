"""Matched requests: an e-process for whether the new release is slower more often than faster."""

import math

from bigred_server.judge.look import Signs
from bigred_server.judge.relative import Logs

CHANCES = (0.55, 0.65, 0.75, 0.85, 0.9)
START = (0.0,) * len(CHANCES)


def add(logs: Logs, signs: Signs) -> Logs:
    """Add the matched pairs of one look; ties are not counted."""
    return tuple(
        log + signs.slower * math.log(2 * chance) + signs.faster * math.log(2 * (1 - chance))
        for log, chance in zip(logs, CHANCES, strict=True)
    )
