"""The judge: turns evidence into a verdict, with all its numbers and the reason in words."""

from dataclasses import dataclass

from bigred_server.judge import power
from bigred_server.judge.evidence import CUTS, Evidence
from bigred_server.judge.judgement import Cause, Judgement
from bigred_server.judge.policy import JudgePolicy
from bigred_server.judge.reason import bad_everywhere, dropped, failing, slower
from bigred_server.judge.relative import log_mean, value
from bigred_server.model.verdict import Verdict

# A weighted mean of e-values is an e-value even if they depend on each other. Errors matter most.
WEIGHTS = {"errors": 0.8, "tail": 0.1, "shift": 0.1}


@dataclass(frozen=True)
class _Values:
    errors: float
    tail: float
    shift: float
    absolute: float
    series: dict[str, float]

    @property
    def relative(self) -> float:
        parts = {"errors": self.errors, "tail": self.tail, "shift": self.shift}
        return sum(parts[name] * weight for name, weight in WEIGHTS.items())


def judge(evidence: Evidence, policy: JudgePolicy, *, has_baseline: bool) -> Judgement:
    """Judge the evidence; `has_baseline`: nodes on the old release still serve."""
    values = _values(evidence)
    word, cause, reason = _decide(evidence, values, policy, has_baseline=has_baseline)
    tally = evidence.tally
    level = policy.rollback_at / WEIGHTS["errors"]
    return Judgement(
        word,
        cause,
        reason,
        relative=values.relative,
        absolute=values.absolute,
        errors=values.errors,
        tail=values.tail,
        shift=values.shift,
        series=values.series,
        guards=_guards(evidence, policy),
        requests=tally.requests,
        failed=tally.failed,
        requests_old=tally.requests_old,
        failed_old=tally.failed_old,
        retried=tally.retried,
        retried_old=tally.retried_old,
        smallest=power.smallest(
            evidence.errors.canary, evidence.errors.baseline, level, policy.odds
        ),
        smallest_slow=power.smallest(
            evidence.slow.canary,
            evidence.slow.baseline,
            policy.rollback_at / WEIGHTS["tail"] * len(evidence.tail_logs),
            policy.odds,
        ),
        lines=tally.lines,
        late=tally.late,
        lost=tally.lost,
    )


def _values(evidence: Evidence) -> _Values:
    tails = [value(log_mean(logs)) for logs in evidence.tail_logs]
    return _Values(
        errors=value(log_mean(evidence.error_logs)),
        tail=sum(tails) / len(tails),
        shift=value(log_mean(evidence.sign_logs)),
        absolute=value(log_mean(evidence.absolute_logs)),
        series={name: value(log_mean(logs)) for name, logs in evidence.series_logs.items()},
    )


def verdict(
    evidence: Evidence, policy: JudgePolicy, *, has_baseline: bool
) -> tuple[Verdict, Cause]:
    """Return the verdict and its cause only, without the numbers that are slow to compute."""
    word, cause, _ = _decide(evidence, _values(evidence), policy, has_baseline=has_baseline)
    return word, cause


def _decide(
    evidence: Evidence, values: _Values, policy: JudgePolicy, *, has_baseline: bool
) -> tuple[Verdict, Cause, str]:
    if values.relative >= policy.rollback_at:
        return Verdict.ROLLBACK, Cause.BUILD, _reason(evidence, values)
    if guards := _guards(evidence, policy):
        return Verdict.ROLLBACK, Cause.GUARD, guards[0]
    if values.absolute >= policy.rollback_at and not has_baseline:
        return Verdict.ROLLBACK, Cause.BUILD, failing(evidence.tally)
    if values.absolute >= policy.rollback_at and values.relative < policy.hold_at:
        return Verdict.HOLD, Cause.ENVIRONMENT, bad_everywhere(evidence.tally)
    if values.relative >= policy.hold_at:
        return Verdict.HOLD, Cause.BUILD, _reason(evidence, values)
    if values.absolute >= policy.hold_at and not has_baseline:
        return Verdict.HOLD, Cause.BUILD, failing(evidence.tally)
    for name, against in values.series.items():
        if against >= policy.rollback_at:
            return Verdict.HOLD, Cause.BUSINESS, dropped(name, evidence.drops.get(name, ""))
    tally = evidence.tally
    if tally.requests + tally.probes >= policy.min_requests:
        return Verdict.PASS, Cause.NONE, ""
    return Verdict.INCONCLUSIVE, Cause.NONE, ""


def _reason(evidence: Evidence, values: _Values) -> str:
    slow = max(WEIGHTS["tail"] * values.tail, WEIGHTS["shift"] * values.shift)
    if WEIGHTS["errors"] * values.errors >= slow:
        return failing(evidence.tally)
    return slower(evidence.tally, _strongest_cut(evidence, values))


def _strongest_cut(evidence: Evidence, values: _Values) -> float:
    """Return the cut with the strongest evidence; the median if the matched pairs are stronger."""
    if WEIGHTS["shift"] * values.shift > WEIGHTS["tail"] * values.tail:
        return CUTS[0]
    strengths = [log_mean(logs) for logs in evidence.tail_logs]
    return CUTS[strengths.index(max(strengths))]


def _guards(evidence: Evidence, policy: JudgePolicy) -> tuple[str, ...]:
    """Return the clauses of rails exceeded often enough; an absolute limit comes first."""
    often = [
        evidence.clauses[key]
        for key, marks in evidence.rails.items()
        if sum(marks) >= policy.guards.hits and key in evidence.clauses
    ]
    return (evidence.limit, *often) if evidence.limit else tuple(often)
