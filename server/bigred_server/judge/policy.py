"""What an operator decides about the judge: its mode, its levels, and how long it looks."""

from dataclasses import dataclass, field
from enum import StrEnum


class Mode(StrEnum):
    """What a verdict may do: WATCH only tells of it, HOLD holds and never goes back."""

    OFF = "off"
    WATCH = "watch"
    HOLD = "hold"
    ROLLBACK = "rollback"

    @property
    def actions(self) -> bool:
        """Whether a verdict has consequences."""
        return self in (Mode.HOLD, Mode.ROLLBACK)


class Inconclusive(StrEnum):
    """What to do when there was too little traffic to tell.

    EXTEND looks longer, PROBE sends requests of its own; after `extend_s` both ASK: they hold.
    """

    EXTEND = "extend"
    PROBE = "probe"
    ASK = "ask"
    PASS = "pass"  # noqa: S105


@dataclass(frozen=True)
class GuardPolicy:
    """The guard rails: `times` what the old release uses is too much, in `hits` of `windows` spans.

    `gc_share`: of the time. `heap_share` of the most it may use, and `threads_most`, are limits by
    themselves: one span over them is enough.
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
    """A business metric: it may fall by `tolerance` (a share) before it counts as a drop."""

    tolerance: float = 0.4


@dataclass(frozen=True)
class JudgePolicy:
    """All times are in seconds; levels are e-values, so 100 is a chance of at most one in 100.

    `warmup_s`: for so long after READY a node's latency is not judged, and its errors only as
    `warmup_bar` times as many. `odds`: how many times the old release's odds of an error the new
    one may have. `ceiling`: the share of errors that nobody has to bear, or `ceiling_times` what is
    usual if that is more. `hold_s`: how long a suspicion may stand before the build is taken back.
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
