"""What the customers of the shop saw, request by request, and figures for a span of time.

Times are of CLOCK_MONOTONIC (`time.monotonic()`), which all processes of one machine share: who
knows when a deployment began and ended can ask for before, during and after.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypedDict


class RequestKind(StrEnum):
    """What a customer did."""

    GET = "get"  # a page, over a connection that is kept
    FRESH = "fresh"  # a page, over a connection of its own
    POST = "post"  # an order, over a connection that is kept
    SLOW = "slow"  # an answer that takes its time on purpose
    SESSION = "session"  # a login, a logout, or whether the session is known


@dataclass(frozen=True)
class RequestSample:
    """One request: when it was sent, how long it took, and the status or error its client saw."""

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
    """Write one line for each sample: `start_s latency_ms ok kind outcome`."""
    with file.open("w", encoding="utf-8") as lines:
        for one in samples:
            outcome = " ".join(one.outcome.split())
            lines.write(
                f"{one.start_s:.3f} {one.latency_ms:.2f} {int(one.ok)} {one.kind} {outcome}\n"
            )


def read(file: Path) -> list[RequestSample]:
    """Read what `write` wrote. Raises ValueError for a line that is none of its."""
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
    """Give the samples whose request was sent at `from_s` or later and before `to_s`."""
    return [one for one in samples if from_s <= one.start_s < to_s]


def latency(samples: Iterable[RequestSample]) -> Latency | None:
    """Give p50, p99 (nearest rank) and maximum of the answered requests, or None without any.

    Slow ones are left out: they measure what was asked for. Failed ones are counted elsewhere.
    """
    values = sorted(
        one.latency_ms for one in samples if one.ok and one.kind is not RequestKind.SLOW
    )
    if not values:
        return None
    return Latency(p50=_rank(values, 0.50), p99=_rank(values, 0.99), max=values[-1])


def counts(samples: Iterable[RequestSample]) -> Counts:
    """Count requests of every kind, and those that failed."""
    oks = [one.ok for one in samples]
    return Counts(requests=len(oks), failed=oks.count(False))


def failures(samples: Iterable[RequestSample]) -> list[RequestSample]:
    """Give the failed requests in the order they were sent; `outcome` tells what was seen."""
    return sorted((one for one in samples if not one.ok), key=lambda one: one.start_s)


def _rank(ascending: Sequence[float], share: float) -> float:
    return ascending[math.ceil(share * len(ascending)) - 1]
