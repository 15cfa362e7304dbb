"""The log of the customers' requests, and statistics for a span of time.

Times are those of CLOCK_MONOTONIC (`time.monotonic()`), which all processes of a machine share, so
that requests can be divided into those before, during and after a deployment.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypedDict


class RequestKind(StrEnum):
    """The kind of a customer's request."""

    GET = "get"  # a page, over a persistent connection
    FRESH = "fresh"  # a page, over a new connection
    POST = "post"  # an order, over a persistent connection
    SLOW = "slow"  # an answer that is slow on purpose
    SESSION = "session"  # a login, a logout, or a check of the session


@dataclass(frozen=True)
class RequestSample:
    """One request: when it was sent, its latency, and the status or error seen by its client."""

    start_s: float
    latency_ms: float
    ok: bool
    kind: RequestKind
    outcome: str


class Latency(TypedDict):
    """Milliseconds from a request to the end of its answer."""

    p50: float
    p99: float
    max: float


@dataclass(frozen=True)
class Counts:
    """Requests sent in a span of time, and how many of them failed."""

    requests: int
    failed: int


def write(file: Path, samples: Iterable[RequestSample]) -> None:
    """Write one line per sample: `start_s latency_ms ok kind outcome`."""
    with file.open("w", encoding="utf-8") as lines:
        for one in samples:
            outcome = " ".join(one.outcome.split())
            lines.write(
                f"{one.start_s:.3f} {one.latency_ms:.2f} {int(one.ok)} {one.kind} {outcome}\n"
            )


def read(file: Path) -> list[RequestSample]:
    """Read a file written by `write`. Raise ValueError for any other line."""
    samples = []
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            start_s, latency_ms, ok, kind, outcome = line.rstrip("\n").split(" ", 4)
            samples.append(
                RequestSample(
                    float(start_s), float(latency_ms), ok == "1", RequestKind(kind), outcome
                )
            )
    return samples


def within(samples: Iterable[RequestSample], from_s: float, to_s: float) -> list[RequestSample]:
    """Return the samples of requests sent at `from_s` or later and before `to_s`."""
    return [one for one in samples if from_s <= one.start_s < to_s]


def latency(samples: Iterable[RequestSample]) -> Latency | None:
    """Return p50, p99 (nearest rank) and maximum of the answered requests, None if there are none.

    Requests of kind SLOW are left out: their latency is the one requested. Failed requests are
    counted elsewhere.
    """
    values = sorted(
        one.latency_ms for one in samples if one.ok and one.kind is not RequestKind.SLOW
    )
    if not values:
        return None
    return Latency(p50=_rank(values, 0.50), p99=_rank(values, 0.99), max=values[-1])


def counts(samples: Iterable[RequestSample]) -> Counts:
    """Count all requests, and those that failed."""
    oks = [one.ok for one in samples]
    return Counts(requests=len(oks), failed=oks.count(False))


def failures(samples: Iterable[RequestSample]) -> list[RequestSample]:
    """Return the failed requests in the order in which they were sent."""
    return sorted((one for one in samples if not one.ok), key=lambda one: one.start_s)


def _rank(ascending: Sequence[float], share: float) -> float:
    return ascending[math.ceil(share * len(ascending)) - 1]
