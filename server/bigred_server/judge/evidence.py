"""The accumulated evidence of one deployment. Another server can continue from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bigred_server.judge import absolute, guard, relative, series, sign
from bigred_server.judge.look import Arm, Bin, Look, Pair, Span
from bigred_server.judge.policy import JudgePolicy
from bigred_server.judge.relative import Logs
from bigred_server.judge.tally import Tally, add_look

CUTS = (0.5, 0.9, 0.99)
_CLEAN_S = 60.0
_CLEAN_REQUESTS = 20


@dataclass(frozen=True)
class Evidence:
    """The logarithms of every e-process, and the counts behind them.

    `errors` and `slow` (at the cut 0.9) sum up the compared samples; they are used to compute the
    smallest regression that would have been caught. `recent`: (end, requests, hits) of the looks
    of the last minute. `spans`: by node. `rails`: by node and guard rail, whether each of the last
    spans exceeded it; `clauses`: the text that describes the latest excess.
    """

    error_logs: Logs = relative.START
    absolute_logs: Logs = absolute.START
    tail_logs: tuple[Logs, ...] = (relative.START,) * len(CUTS)
    sign_logs: Logs = sign.START
    series_logs: Mapping[str, Logs] = field(default_factory=dict)
    errors: Pair = field(default_factory=Pair)
    slow: Pair = field(default_factory=Pair)
    tally: Tally = field(default_factory=Tally)
    recent: tuple[tuple[float, int, int], ...] = ()
    spans: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    rails: Mapping[str, tuple[bool, ...]] = field(default_factory=dict)
    clauses: Mapping[str, str] = field(default_factory=dict)
    limit: str = ""
    drops: Mapping[str, str] = field(default_factory=dict)


EMPTY = Evidence()


def weigh(evidence: Evidence, look: Look, policy: JudgePolicy, usual: float) -> Evidence:
    """Add a look; `usual`: the share of failing requests before the deployment."""
    canary, baseline = look.errors.canary, look.errors.baseline
    both = canary + look.warming
    # A warming node may fail more often: its requests count `warmup_bar` times.
    bar = policy.warmup_bar
    asked = Arm(
        round(canary.requests + bar * look.warming.requests),
        round(canary.units + bar * look.warming.units),
        both.hits,
    )
    errors = relative.add(
        evidence.error_logs,
        both.hits,
        baseline.hits,
        relative.rho(asked, baseline),
        policy.odds,
    )
    probes = look.probes
    errors = _add_all(errors, (look.retries, probes), policy.odds)
    return replace(
        _weigh_absolute(evidence, look, both, policy, usual),
        error_logs=errors,
        tail_logs=tuple(
            _add_all(logs, look.slow.get(cut, ()), policy.odds)
            for logs, cut in zip(evidence.tail_logs, CUTS, strict=True)
        ),
        sign_logs=sign.add(sign.add(evidence.sign_logs, look.signs), look.probe_signs),
        errors=Pair(
            evidence.errors.canary + both + probes.canary,
            evidence.errors.baseline + baseline + probes.baseline,
        ),
        slow=_sum(evidence.slow, look.slow.get(0.9, ())),
        tally=add_look(evidence.tally, look),
    )


def _add_all(logs: Logs, pairs: Sequence[Pair], odds: float) -> Logs:
    for pair in pairs:
        rho = relative.rho(pair.canary, pair.baseline)
        logs = relative.add(logs, pair.canary.hits, pair.baseline.hits, rho, odds)
    return logs


def _sum(total: Pair, pairs: Sequence[Pair]) -> Pair:
    for pair in pairs:
        total = Pair(total.canary + pair.canary, total.baseline + pair.baseline)
    return total


def _weigh_absolute(
    evidence: Evidence, look: Look, both: Arm, policy: JudgePolicy, usual: float
) -> Evidence:
    """Add a look to the absolute process, and reset it after a whole minute without excess.

    So a hold caused by an outage ends with the outage. A reset can only delay later holds.
    """
    ceiling = min(0.5, max(policy.ceiling, policy.ceiling_times * usual))
    asked = both + look.probes.canary
    logs = absolute.add(evidence.absolute_logs, asked.hits, asked.requests, ceiling)
    recent = (*evidence.recent, (look.at, asked.requests, asked.hits))
    latest = [one for one in recent if one[0] > look.at - _CLEAN_S]
    requests, hits = sum(one[1] for one in latest), sum(one[2] for one in latest)
    spans_minute = len(latest) < len(recent)
    if spans_minute and requests >= _CLEAN_REQUESTS and hits <= ceiling * requests:
        logs = absolute.START
    return replace(evidence, absolute_logs=logs, recent=tuple(recent[-len(latest) - 1 :]))


def weigh_spans(
    evidence: Evidence, spans: Sequence[Span], reference: Sequence[Span], policy: JudgePolicy
) -> Evidence:
    """Add the resource use of nodes on the new release; `reference` is compared with it."""
    for span in spans:
        known = (*evidence.spans.get(span.node, ()), span)[-guard.KEPT :]
        exceeded = guard.exceeded(known, reference, policy.guards)
        rails, clauses = dict(evidence.rails), dict(evidence.clauses)
        for rail in ("processor", "memory", "threads", "collections"):
            key = f"{span.node} {rail}"
            rails[key] = (*rails.get(key, ()), rail in exceeded)[-policy.guards.windows :]
            if rail in exceeded:
                clauses[key] = exceeded[rail]
        evidence = replace(
            evidence,
            spans={**evidence.spans, span.node: known},
            rails=rails,
            clauses=clauses,
            limit=evidence.limit or guard.limit(span, policy.guards),
        )
    return evidence


def weigh_bins(evidence: Evidence, bins: Sequence[Bin], policy: JudgePolicy) -> Evidence:
    """Add the bins of the business metrics."""
    for one in bins:
        series_policy = policy.series.get(one.name)
        if series_policy is None:
            continue
        logs = evidence.series_logs.get(one.name, series.START)
        added = {**evidence.series_logs, one.name: series.add(logs, one, series_policy.tolerance)}
        drops = dict(evidence.drops)
        if one.expected:
            drops[one.name] = f"{one.seen:g} seen, {one.expected:.3g} expected"
        evidence = replace(evidence, series_logs=added, drops=drops)
    return evidence
