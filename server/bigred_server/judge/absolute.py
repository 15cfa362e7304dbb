"""Errors of the new release by themselves: an e-process against a ceiling that nobody may exceed.

Each client's errors count once a look, of all requests: so a client that fails again and again is
one witness here too, and the process is only more careful than it would have to be.
"""

import math

from bigred_server.judge.relative import Logs

TIMES = (2.0, 5.0, 10.0, 20.0, 50.0)
START = (0.0,) * len(TIMES)
_MOST = 0.9


def add(logs: Logs, hits: int, requests: int, ceiling: float) -> Logs:
    """Add a look to the logarithms of the e-values, one for each share that is too much."""
    good = max(0, requests - hits)
    added = []
    for log, times in zip(logs, TIMES, strict=True):
        bad = min(_MOST, ceiling * times)
        gain = hits * math.log(bad / ceiling) + good * math.log((1 - bad) / (1 - ceiling))
        added.append(log + gain if bad > ceiling else log)
    return tuple(added)
