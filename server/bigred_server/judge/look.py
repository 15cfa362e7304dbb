"""A look of the judge: what users got from the new and the old release in a span of seconds.

Plain values. Who makes them counts each client once a node and look, so that one user who tries
again and again is one witness, not twenty.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Arm:
    """One side of a comparison in one look, summed over its nodes.

    `requests`: all of them, or those sampled. `units`: clients, each counted once a node; where
    clients can't be told apart, the nodes that had requests. `hits`: units with at least one error,
    or whose request was slow: never more than `units`.
    """

    requests: int = 0
    units: int = 0
    hits: int = 0

    def __add__(self, other: "Arm") -> "Arm":
        """Add two arms up."""
        return Arm(self.requests + other.requests, self.units + other.units, self.hits + other.hits)


@dataclass(frozen=True)
class Pair:
    """The same question asked of the new release and, at the same time, of the old one."""

    canary: Arm = field(default_factory=Arm)
    baseline: Arm = field(default_factory=Arm)


@dataclass(frozen=True)
class Signs:
    """Matched requests: how often the new release was slower, and how often faster."""

    slower: int = 0
    faster: int = 0


@dataclass(frozen=True)
class LogCounts:
    """HAProxy's log lines of a look: taken in, come late, and known to be missing.

    What was missing in an earlier look and has come in this one counts as `lost` less than none.
    """

    taken: int = 0
    late: int = 0
    lost: int = 0


@dataclass(frozen=True)
class Look:
    """One look. `at` is Unix time of its end, `span_s` its length.

    `errors` leaves out nodes that warm up; theirs is `warming`, and `errors.baseline` is the other
    side of both. `failed`: how many requests, none left out, the new release answered with an
    error (of `answered`), and `failed_old` of `answered_old` the old one. `slow`: by cut (the share
    of requests that was faster before the deployment, such as 0.9) a pair for each path group.
    `retries`: who had requests fail that HAProxy then tried again, so that no user saw it, and
    `retried`, `retried_old`: how many. `probes` and `probe_signs` come from paired synthetic
    requests. `where`: the new release's errors by path group, `nodes` by node, as (errors,
    requests).
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
    """What one Tomcat used in a span of `span_s` seconds, at the age `age_s` since its start.

    `cpu_s`, `gc_s`: seconds of processor time and of garbage collection. `heap`: bytes that
    outlived collections, at the span's end; `heap_full`: bytes left by the newest full collection,
    None when there was none yet; `heap_max`: the most it may use. `threads`: at the span's end.
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
    """A business metric in one bin of the clock: how many were seen, and how many expected.

    `reference`: where the expectation comes from, in words; without one `expected` is None.
    """

    name: str
    seen: float
    expected: float | None
    reference: str = ""
