"""The error share of the new release alone: an e-process against an absolute ceiling.

Errors are counted once per client and look, but compared with all requests. So a client that fails
again and again counts once here too, which only makes the process more cautious than necessary.
"""

import math

from bigred_server.judge.relative import Logs

TIMES = (2.0, 5.0, 10.0, 20.0, 50.0)
START = (0.0,) * len(TIMES)
_MAX_SHARE = 0.9


def add(logs: Logs, hits: int, requests: int, ceiling: float) -> Logs:
    """Add a look to the log e-values; each tests one multiple of the ceiling (`TIMES`)."""
    good = max(0, requests - hits)
    added = []
    for log, times in zip(logs, TIMES, strict=True):
        bad = min(_MAX_SHARE, ceiling * times)
        gain = hits * math.log(bad / ceiling) + good * math.log((1 - bad) / (1 - ceiling))
        added.append(log + gain if bad > ceiling else log)
    return tuple(added)
