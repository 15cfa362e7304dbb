"""One trial: a deployment by the button while one process is struck, and what came of it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.support.strikes import Blow, Strike, Target

from bigred_server.demo.request_log import RequestSample

ANSWER_DEADLINE_S = 2.0
_SHOWN = 60
# A client notices the end of an outage a little later than the process does.
_AFTER_S = 1.0


@dataclass(frozen=True)
class Push:
    """One push of the button, in monotonic seconds.

    `answered_s` and `answer`: the server's reply, None and "" without one. `said`: what the box
    said from then on, and when. `begun_s`: when the deployment began that this push fired.
    """

    pushed_s: float
    answered_s: float | None = None
    answer: str = ""
    said: tuple[tuple[float, str], ...] = ()
    begun_s: float | None = None

    @property
    def is_late(self) -> bool:
        """Whether it was accepted after its people had been told, or had given up."""
        times = [self.begun_s] if self.begun_s is not None else []
        if self.answered_s is not None and self.answer.startswith("accepted"):
            times.append(self.answered_s)
        return bool(times) and min(times) - self.pushed_s > ANSWER_DEADLINE_S

    def __str__(self) -> str:
        def after(at_s: float | None) -> str:
            return "never" if at_s is None else f"+{at_s - self.pushed_s:.2f} s"

        said = "; ".join(f"{after(at_s)} {text[:_SHOWN]!r}" for at_s, text in self.said)
        return (
            f"answered {after(self.answered_s)} {self.answer}, deployment {after(self.begun_s)}, "
            f"said: {said or 'nothing'}{' LATE' if self.is_late else ''}"
        )


@dataclass
class Trial:
    """What happened in one trial, in monotonic seconds.

    `struck_s` to `over_s`: the outage; `in_flight`: requests that were on a struck Tomcat, or came
    there until HAProxy noticed. `outcome`: of the deployment; "nothing" if none began. `faults`:
    what must not be.
    """

    strike: Strike
    begun_s: float
    ended_s: float = 0.0
    struck_s: float = 0.0
    over_s: float = 0.0
    in_flight: int = 0
    outcome: str = "nothing"
    reason: str = ""
    pushes: list[Push] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Requests:
    """The requests of a trial. `unavoidable`: the failed ones that were in flight in the outage.

    `gap_s`: the longest time in which no request succeeded.
    """

    sent: int
    failed: int
    unavoidable: int
    gap_s: float

    @property
    def lost(self) -> int:
        """The failed requests that no outage explains."""
        return self.failed - self.unavoidable


def requests(trial: Trial, samples: Sequence[RequestSample]) -> Requests:
    """Count the requests of a trial."""
    ours = [one for one in samples if trial.begun_s <= one.start_s < trial.ended_s]
    failed = [one for one in ours if not one.ok]
    match trial.strike.target:
        case Target.HAPROXY:
            unavoidable = sum(_overlaps(trial, one) for one in failed)
        case Target.TOMCAT:
            unavoidable = min(len(failed), trial.in_flight)
        case _:
            unavoidable = 0
    answered = sorted(one.start_s + one.latency_ms / 1000 for one in ours if one.ok)
    gaps = [later - earlier for earlier, later in pairwise(answered)]
    return Requests(len(ours), len(failed), unavoidable, max(gaps, default=0.0))


def _overlaps(trial: Trial, one: RequestSample) -> bool:
    ended_s = one.start_s + one.latency_ms / 1000
    return one.start_s <= trial.over_s + _AFTER_S and ended_s >= trial.struck_s


def table(trials: Sequence[Trial], samples: Sequence[RequestSample]) -> Iterator[str]:
    """Format the results, one line for each process and signal."""
    yield (
        "process  signal   moments deployments requests failed in flight lost longest gap late "
        "faults  outcomes"
    )
    for target in Target:
        for blow in Blow:
            ours = [one for one in trials if (one.strike.target, one.strike.blow) == (target, blow)]
            if ours:
                yield _line(target, blow, ours, samples)


def _line(
    target: Target, blow: Blow, trials: Sequence[Trial], samples: Sequence[RequestSample]
) -> str:
    counted = [requests(one, samples) for one in trials]
    outcomes = sorted({one.outcome for one in trials})
    by_outcome = [f"{sum(one.outcome == name for one in trials)} {name}" for name in outcomes]
    late = sum(push.is_late for one in trials for push in one.pushes)
    return (
        f"{target:<8} {blow:<8} {len(trials):7} "
        f"{sum(one.outcome != 'nothing' for one in trials):11} "
        f"{sum(one.sent for one in counted):8} {sum(one.failed for one in counted):6} "
        f"{sum(one.unavoidable for one in counted):9} {sum(one.lost for one in counted):4} "
        f"{max(one.gap_s for one in counted):9.2f} s {late:4} "
        f"{sum(bool(one.faults) for one in trials):6}  {', '.join(by_outcome)}"
    )
