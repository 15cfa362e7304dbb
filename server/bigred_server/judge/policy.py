"""The operator's settings of the judge: its mode, its thresholds, and how long it observes."""

from dataclasses import dataclass, field
from enum import StrEnum


class Mode(StrEnum):
    """What a verdict may do: WATCH only reports it, HOLD holds but never rolls back."""

    OFF = "off"
    WATCH = "watch"
    HOLD = "hold"
    ROLLBACK = "rollback"

    @property
    def actions(self) -> bool:
        """Whether a verdict has consequences."""
        return self in (Mode.HOLD, Mode.ROLLBACK)


class Inconclusive(StrEnum):
    """What to do if there was too little traffic for a verdict.

    EXTEND observes longer, PROBE sends synthetic requests; after `extend_s` both do as ASK: hold.
    """

    EXTEND = "extend"
    PROBE = "probe"
    ASK = "ask"
    PASS = "pass"  # noqa: S105


@dataclass(frozen=True)
class GuardPolicy:
    """The guard rails.

    `*_times`: using more than this many times what the old release uses, in `hits` of `windows`
    spans, is too much. `gc_share`: share of the time spent in garbage collection. `heap_share` (of
    the maximum heap) and `threads_most` are absolute limits: one span over them is enough.
    """

    cpu_times: float = 1.5
    heap_times: float = 1.5
    threads_times: float = 1.5
    gc_share: float = 0.10
    heap_share: float = 0.95
    threads_most: int = 10_000
    hits: int = 3
    windows: int = 4


@dataclass(frozen=True)
class SeriesPolicy:
    """A business metric may fall by `tolerance` (a share) before it counts as a drop."""

    tolerance: float = 0.4


@dataclass(frozen=True)
class JudgePolicy:
    """The judge's policy. All times are in seconds.

    `rollback_at` and `hold_at` are e-values: 100 means at most one false alarm in 100 releases.
    `warmup_s`: for this long after READY, a node's latency is not judged, and it may fail
    `warmup_bar` times as often. `odds`: how many times the old release's odds of an error the new
    one may have. `ceiling`: the share of errors that is too high whatever the cause, or
    `ceiling_times` the usual share if that is higher. `hold_s`: how long a suspicion may hold the
    deployment before it is rolled back.
    """

    mode: Mode = Mode.WATCH
    inconclusive: Inconclusive = Inconclusive.EXTEND
    extend_s: float = 120.0
    look_s: float = 5.0
    warmup_s: float = 60.0
    warmup_bar: float = 1.2
    min_requests: int = 50
    rollback_at: float = 100.0
    hold_at: float = 20.0
    hold_s: float = 300.0
    odds: float = 1.0
    ceiling: float = 0.01
    ceiling_times: float = 2.0
    guards: GuardPolicy = field(default_factory=GuardPolicy)
    series: dict[str, SeriesPolicy] = field(default_factory=dict)
