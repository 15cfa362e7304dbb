"""The demo's receipt: that of the deployment, plus the results of customers and box."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any  # a receipt is JSON

from bigred_server.demo import request_log
from bigred_server.demo.load import latency
from bigred_server.demo.request_log import RequestSample


@dataclass(frozen=True)
class Moments:
    """The times of the scenario's steps, in monotonic seconds.

    `traffic`: when the customers began; `stopped`: when they had ended.
    """

    traffic: float
    lid: float
    armed: float
    press: float
    accepted: float
    ended: float
    stopped: float


def summary(receipt: Mapping[str, Any], seen: list[RequestSample], at: Moments) -> dict[str, Any]:
    """Return the receipt. `requests` and `failed`: the customers' own counts of the whole run."""
    counted = request_log.counts(seen)
    return {
        "outcome": receipt["outcome"],
        "release": receipt["release"],
        "nodes": receipt["nodes"],
        "seconds": receipt["seconds"],
        "requests": counted.requests,
        "failed": counted.failed,
        "retried": receipt["retried"],
        "latency_ms": {
            "before": latency(seen, at.traffic, at.press),
            "during": latency(seen, at.press, at.ended),
            "after": latency(seen, at.ended, at.stopped),
        },
        "lid_to_armed_ms": round((at.armed - at.lid) * 1000, 1),
        "press_to_accepted_ms": round((at.accepted - at.press) * 1000, 1),
        "per_node": receipt["per_node"],
    }
