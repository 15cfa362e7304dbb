"""A look: what users got from the new and the old release within a few seconds.

Plain values. Telemetry counts each client once per node and look, so that one user who retries
twenty times counts once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Arm:
    """One side of a comparison in one look, summed over its nodes.

    `requests`: all of them, or those sampled. `units`: clients, each counted once per node; where
    clients can't be told apart, the nodes that received requests. `hits`: units with at least one
    error, or with a slow request; never more than `units`.
    """

    requests: int = 0
    units: int = 0
    hits: int = 0

    def __add__(self, other: "Arm") -> "Arm":
        """Return the sum of two arms."""
        return Arm(self.requests + other.requests, self.units + other.units, self.hits + other.hits)


@dataclass(frozen=True)
class Pair:
    """The same measurement of the new release and, at the same time, of the old one."""

    canary: Arm = field(default_factory=Arm)
    baseline: Arm = field(default_factory=Arm)


@dataclass(frozen=True)
class Signs:
    """Matched requests: how often the new release was slower, and how often faster."""

    slower: int = 0
    faster: int = 0


@dataclass(frozen=True)
class LogCounts:
    """HAProxy's log lines of a look: received, received late, and known to be missing.

    `lost` is negative if lines that were missing in an earlier look arrived in this one.
    """

    received: int = 0
    late: int = 0
    lost: int = 0


@dataclass(frozen=True)
class Look:
    """One look. `at`: Unix time of its end; `span_s`: its length.

    `errors` leaves out nodes that are warming up; those are in `warming`, and `errors.baseline` is
    compared with both. `failed` of `answered`: all requests that the new release answered with an
    error; `failed_old` of `answered_old`: likewise for the old release. `slow`: for each cut (the
    share of requests that were faster before the deployment, such as 0.9), one pair per path
    group. `retries`: nodes with failed requests that HAProxy then retried, unseen by users;
    `retried`, `retried_old`: the number of these requests. `probes` and `probe_signs`: from paired
    synthetic requests. `where`: the new release's errors by path group; `nodes`: (errors,
    requests) by node.
    """

    at: float
    span_s: float
    errors: Pair = field(default_factory=Pair)
    warming: Arm = field(default_factory=Arm)
    answered: int = 0
    failed: int = 0
    answered_old: int = 0
    failed_old: int = 0
    retries: Pair = field(default_factory=Pair)
    retried: int = 0
    retried_old: int = 0
    slow: Mapping[float, tuple[Pair, ...]] = field(default_factory=dict)
    signs: Signs = field(default_factory=Signs)
    probes: Pair = field(default_factory=Pair)
    probe_signs: Signs = field(default_factory=Signs)
    lines: LogCounts = field(default_factory=LogCounts)
    where: Mapping[str, int] = field(default_factory=dict)
    nodes: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Span:
    """The resource use of one Tomcat over `span_s` seconds, `age_s` seconds after its start.

    `cpu_s`, `gc_s`: seconds of processor time and of garbage collection. `heap`: bytes that
    survived collections, at the end of the span; `heap_full`: bytes left by the latest full
    collection, None if there was none yet; `heap_max`: the maximum heap size in bytes. `threads`:
    at the end of the span.
    """

    node: str
    age_s: float
    span_s: float
    requests: int
    cpu_s: float
    gc_s: float
    heap: int
    heap_full: int | None
    heap_max: int
    threads: int
    warming: bool = False


@dataclass(frozen=True)
class Bin:
    """The count of a business metric in one clock-aligned bin, and the expected count.

    `reference`: what the expectation is derived from, in words; "" if `expected` is None.
    """

    name: str
    seen: float
    expected: float | None
    reference: str = ""
