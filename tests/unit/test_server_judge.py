"""The judge: its false alarms, what it must notice, and every verdict of its table."""

import json
import math
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigred_server.judge import absolute, guard, power, record, relative, series, sign
from bigred_server.judge.evidence import CUTS, EMPTY, Evidence, weigh, weigh_bins, weigh_spans
from bigred_server.judge.judge import WEIGHTS, judge
from bigred_server.judge.judgement import Cause
from bigred_server.judge.look import Arm, Bin, LogCounts, Look, Pair, Signs, Span
from bigred_server.judge.policy import JudgePolicy, SeriesPolicy
from bigred_server.judge.relative import log_mean, value
from bigred_server.model.verdict import Verdict

POLICY = JudgePolicy()
shares = st.floats(0.01, 0.99)
small = st.integers(0, 12)


# --- false alarms --------------------------------------------------------------------------------


@given(rho=shares, errors=small, odds=st.sampled_from([1.0, 1.5, 3.0]))
def test_under_the_null_no_number_of_errors_is_expected_to_raise_the_evidence(
    rho: float, errors: int, odds: float
) -> None:
    base = odds * rho / (1 - rho)
    chance = base / (1 + base)
    expected = sum(
        math.comb(errors, canary)
        * chance**canary
        * (1 - chance) ** (errors - canary)
        * value(log_mean(relative.add(relative.START, canary, errors - canary, rho, odds)))
        for canary in range(errors + 1)
    )
    assert expected == pytest.approx(1.0)


@given(requests=st.integers(0, 30), ceiling=st.floats(0.005, 0.2))
def test_at_the_ceiling_the_absolute_evidence_is_not_expected_to_rise(
    requests: int, ceiling: float
) -> None:
    expected = sum(
        math.comb(requests, hits)
        * ceiling**hits
        * (1 - ceiling) ** (requests - hits)
        * value(log_mean(absolute.add(absolute.START, hits, requests, ceiling)))
        for hits in range(requests + 1)
    )
    assert expected == pytest.approx(1.0)


@given(pairs=st.integers(0, 20))
def test_if_slower_and_faster_are_equally_likely_the_signs_prove_nothing(pairs: int) -> None:
    expected = sum(
        math.comb(pairs, slower)
        * 0.5**pairs
        * value(log_mean(sign.add(sign.START, Signs(slower, pairs - slower))))
        for slower in range(pairs + 1)
    )
    assert expected == pytest.approx(1.0)


@given(expected=st.floats(0.5, 20.0), tolerance=st.floats(0.0, 0.9))
def test_a_metric_that_fell_within_its_tolerance_proves_nothing(
    expected: float, tolerance: float
) -> None:
    rate = expected * (1 - tolerance)
    total = sum(
        math.exp(-rate + seen * math.log(rate) - math.lgamma(seen + 1))
        * value(log_mean(series.add(series.START, Bin("orders", seen, expected), tolerance)))
        for seen in range(200)
    )
    assert total == pytest.approx(1.0, abs=1e-6)


@given(
    a=st.builds(Arm, st.integers(0, 10**7), st.integers(0, 10**7)),
    b=st.builds(Arm, st.integers(0, 10**7), st.integers(0, 10**7)),
    hits=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
)
def test_no_traffic_is_too_much_for_it(a: Arm, b: Arm, hits: tuple[int, int]) -> None:
    rho = relative.rho(a, b)
    assert 0.0 <= rho <= 1.0
    logs = relative.add(relative.START, *hits, rho)
    assert math.isfinite(value(log_mean(logs)))
    assert math.isfinite(value(log_mean(absolute.add(absolute.START, hits[0], 10**7, 0.01))))


@given(rho=shares, canary=small, baseline=small)
def test_one_more_error_of_the_canary_is_never_in_its_favour(
    rho: float, canary: int, baseline: int
) -> None:
    less = log_mean(relative.add(relative.START, canary, baseline, rho))
    more = log_mean(relative.add(relative.START, canary + 1, baseline, rho))
    assert more > less
    assert log_mean(relative.add(relative.START, canary, baseline + 1, rho)) <= less


def test_one_cohort_alone_says_nothing_about_the_other() -> None:
    arm = Arm(100, 80, 50)
    for pair in (Pair(arm, Arm()), Pair(Arm(), arm), Pair()):
        rho = relative.rho(pair.canary, pair.baseline)
        logs = relative.add(relative.START, pair.canary.hits, pair.baseline.hits, rho)
        assert logs == relative.START


def test_the_share_is_on_the_safe_side_of_requests_and_of_clients() -> None:
    assert relative.rho(Arm(10, 10), Arm(30, 30)) == 0.25
    # Few requests from as many clients: if all fail, half of the errors are the canary's.
    assert relative.rho(Arm(10, 10), Arm(90, 10)) == 0.5
    assert relative.rho(Arm(90, 10), Arm(10, 10)) == 0.9


def test_with_four_nodes_one_error_per_look_of_one_client_is_enough() -> None:
    """The table of the facts: five or six errors in a row on the canary, none elsewhere."""
    looks = 0
    evidence = EMPTY
    while judge(evidence, POLICY, has_baseline=True).verdict is not Verdict.ROLLBACK:
        evidence = weigh(evidence, look(Arm(10, 5, 1), Arm(30, 15, 0)), POLICY, 0.0)
        looks += 1
    assert 4 <= looks <= 7


# --- what would have been caught -----------------------------------------------------------------


def test_the_smallest_detectable_regression_shrinks_with_the_evidence() -> None:
    found = [power.smallest(Arm(n, n), Arm(3 * n, 3 * n), 125.0) for n in (2, 20, 200, 20_000)]
    assert found[0] is None
    assert found[1] is not None
    assert found[2] is not None
    assert found[3] is not None
    assert found[1] > found[2] > found[3] > 0.0


@pytest.mark.parametrize("asked", [30, 100, 1000])
def test_a_regression_as_small_as_that_is_caught_in_19_of_20_cases(asked: int) -> None:
    canary, baseline = Arm(asked, asked), Arm(3 * asked, 3 * asked, asked // 50)
    share = power.smallest(canary, baseline, 125.0)
    assert share is not None
    rho = relative.rho(canary, baseline)
    caught = sum(
        math.comb(asked, hits) * share**hits * (1 - share) ** (asked - hits)
        for hits in range(asked + 1)
        if log_mean(relative.add(relative.START, hits, baseline.hits, rho)) >= math.log(125.0)
    )
    assert caught == pytest.approx(0.95, abs=0.02)


# --- the verdicts --------------------------------------------------------------------------------


def look(canary: Arm, baseline: Arm, at: float = 0.0, **more: object) -> Look:
    result = {
        "answered": canary.requests,
        "failed": canary.hits,
        "nodes": {"node1": (canary.hits, canary.requests)},
    }
    result |= {"answered_old": baseline.requests, "failed_old": baseline.hits}
    return Look(at, 5.0, Pair(canary, baseline), **(result | more))  # type: ignore[arg-type]


def with_levels(relatively: float, absolutely: float, requests: int = 100) -> Evidence:
    errors = (math.log(relatively / WEIGHTS["errors"]),) * len(relative.START)
    out = (math.log(absolutely),) * len(absolute.START)
    no = (-50.0,) * len(relative.START)
    return replace(
        EMPTY,
        error_logs=errors,
        absolute_logs=out,
        tail_logs=(no,) * len(CUTS),
        sign_logs=(-50.0,) * len(sign.START),
        tally=replace(EMPTY.tally, requests=requests, failed=5, requests_old=300),
    )


RELATIVE = {"low": 1.0, "suspicious": 21.0, "sure": 101.0}
ABSOLUTE = {"low": 1.0, "suspicious": 21.0, "sure": 101.0}


@pytest.mark.parametrize(
    ("relatively", "absolutely", "has_baseline"), list(product(RELATIVE, ABSOLUTE, [True, False]))
)
def test_every_pair_of_levels_has_its_verdict(
    relatively: str, absolutely: str, has_baseline: bool
) -> None:
    evidence = with_levels(RELATIVE[relatively], ABSOLUTE[absolutely])
    said = judge(evidence, POLICY, has_baseline=has_baseline)
    if relatively == "sure" or (absolutely == "sure" and not has_baseline):
        wanted = (Verdict.ROLLBACK, Cause.BUILD)
    elif relatively == "suspicious":
        wanted = (Verdict.HOLD, Cause.BUILD)
    elif absolutely == "sure":
        wanted = (Verdict.HOLD, Cause.ENVIRONMENT)
    elif absolutely == "suspicious" and not has_baseline:
        wanted = (Verdict.HOLD, Cause.BUILD)
    else:
        wanted = (Verdict.PASS, Cause.NONE)
    assert (said.verdict, said.cause) == wanted
    assert bool(said.reason) is (said.verdict is not Verdict.PASS)


def test_too_few_requests_are_inconclusive_and_probes_count() -> None:
    for requests, verdict in ((49, Verdict.INCONCLUSIVE), (50, Verdict.PASS)):
        evidence = with_levels(1.0, 1.0, requests)
        assert judge(evidence, POLICY, has_baseline=True).verdict is verdict
    few = with_levels(1.0, 1.0, 10)
    probed = replace(few, tally=replace(few.tally, probes=40))
    assert judge(probed, POLICY, has_baseline=True).verdict is Verdict.PASS
    assert judge(EMPTY, POLICY, has_baseline=False).verdict is Verdict.INCONCLUSIVE


def test_a_shared_outage_is_not_the_builds_fault_and_its_hold_ends_with_it() -> None:
    evidence = EMPTY
    for number in range(30):
        bad = look(Arm(100, 40, 12), Arm(300, 120, 36), at=5.0 * number)
        evidence = weigh(evidence, bad, POLICY, 0.001)
    said = judge(evidence, POLICY, has_baseline=True)
    assert (said.verdict, said.cause) == (Verdict.HOLD, Cause.ENVIRONMENT)
    assert "fails, perhaps because of its environment: " in said.reason
    for number in range(30, 44):
        evidence = weigh(
            evidence, look(Arm(100, 40, 0), Arm(300, 120, 0), at=5.0 * number), POLICY, 0.001
        )
    assert judge(evidence, POLICY, has_baseline=True).verdict is Verdict.PASS


def test_the_reason_names_requests_nodes_and_the_path_that_fails() -> None:
    evidence = EMPTY
    for _ in range(6):
        one = look(Arm(10, 10, 2), Arm(30, 30, 0), where={"/shop/order": 2})
        evidence = weigh(evidence, one, POLICY, 0.0)
    said = judge(evidence, POLICY, has_baseline=True)
    assert said.reason == (
        "failed 12 of 60 requests on node1, all of them on /shop/order, compared with 0 of 180 "
        "on the old release"
    )
    assert (said.requests, said.failed, said.requests_old, said.failed_old) == (60, 12, 180, 0)


def test_probes_alone_find_a_build_that_fails() -> None:
    evidence = EMPTY
    for _ in range(20):
        evidence = weigh(
            evidence, Look(0.0, 5.0, probes=Pair(Arm(1, 1, 1), Arm(1, 1, 0))), POLICY, 0.0
        )
    said = judge(evidence, POLICY, has_baseline=True)
    assert (said.verdict, said.reason) == (
        Verdict.ROLLBACK,
        "failed 20 of 20 probe requests",
    )


def test_a_build_whose_failures_haproxy_hides_is_found_and_its_reason_says_so() -> None:
    evidence = EMPTY
    hidden = Pair(Arm(50, 1, 1), Arm(150, 3, 0))
    for number in range(6):
        one = look(Arm(50, 50), Arm(150, 150), at=5.0 * number, retries=hidden, retried=7)
        evidence = weigh(evidence, one, POLICY, 0.0)
    said = judge(evidence, POLICY, has_baseline=True)
    assert said.verdict is Verdict.ROLLBACK
    assert said.reason == (
        "failed 42 requests on node1 that HAProxy then retried, compared with 0 on the old release"
    )
    assert (said.failed, said.retried, said.retried_old) == (0, 42, 0)


def test_failures_that_haproxy_hides_in_both_cohorts_blame_nobody() -> None:
    evidence = EMPTY
    hidden = Pair(Arm(50, 1, 1), Arm(150, 3, 3))
    for number in range(100):
        one = look(Arm(50, 50), Arm(150, 150), at=5.0 * number, retries=hidden, retried=7)
        evidence = weigh(evidence, one, POLICY, 0.0)
    assert judge(evidence, POLICY, has_baseline=True).verdict is Verdict.PASS


def test_a_slower_build_is_found_by_its_tail_and_by_pairs() -> None:
    slow = {
        cut: (Pair(Arm(10, 10, hits), Arm(30, 30, usual)),)
        for cut, hits, usual in ((0.5, 9, 15), (0.9, 5, 3), (0.99, 2, 0))
    }
    evidence = EMPTY
    for number in range(12):
        one = look(Arm(10, 10), Arm(30, 30), slow=slow, signs=Signs(8, 2), at=5.0 * number)
        evidence = weigh(evidence, one, POLICY, 0.0)
    said = judge(evidence, POLICY, has_baseline=True)
    assert said.verdict is Verdict.ROLLBACK
    # The cut with the strongest evidence is named.
    assert said.reason == (
        "is slow: 24 of 120 requests on node1 took longer than 99 in 100 used to, compared with "
        "0 of 360 on the old release"
    )
    assert said.errors <= 1.0


def test_a_slow_median_is_named_if_the_pairs_show_it() -> None:
    middle = {0.5: (Pair(Arm(10, 10, 9), Arm(30, 30, 15)),)}
    evidence = EMPTY
    for number in range(20):
        one = look(Arm(10, 10), Arm(30, 30), slow=middle, signs=Signs(9, 1), at=5.0 * number)
        evidence = weigh(evidence, one, POLICY, 0.0)
    said = judge(evidence, POLICY, has_baseline=True)
    assert "180 of 200 requests on node1 took longer than half of them" in said.reason


def test_errors_of_a_node_that_warms_up_count_less() -> None:
    warm = weigh(EMPTY, look(Arm(10, 10, 4), Arm(30, 30, 0)), POLICY, 0.0)
    warming = weigh(EMPTY, look(Arm(), Arm(30, 30, 0), warming=Arm(10, 10, 4)), POLICY, 0.0)
    assert log_mean(warming.error_logs) < log_mean(warm.error_logs)
    assert log_mean(warming.error_logs) > 0


# --- guard rails ---------------------------------------------------------------------------------

QUIET = Span("node2", 600.0, 10.0, 500, 1.0, 0.1, 20 << 20, None, 100 << 20, 20)


def used(number: int, **more: object) -> Span:
    return replace(QUIET, node="node1", age_s=100.0 + 10 * number, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spans", "says"),
    [
        ([used(n, cpu_s=2.0) for n in range(4)], "2.0 times the processor time"),
        ([used(n, heap=(30 + 10 * n) << 20) for n in range(6)], "keeps 80 MiB on node1"),
        ([used(n, threads=40 + 5 * n) for n in range(6)], "has 65 threads on node1, and rising"),
        ([used(n, gc_s=2.0) for n in range(4)], "spends 20 % of node1's time"),
        ([used(0, heap_full=96 << 20)], "fills 96 % of node1's heap"),
        ([used(0, threads=20_000)], "has 20000 threads on node1; the limit is 10000"),
    ],
)
def test_a_build_that_uses_too_much_is_rolled_back(spans: list[Span], says: str) -> None:
    evidence = EMPTY
    for span in spans:
        evidence = weigh_spans(evidence, [span], [QUIET, QUIET], POLICY)
    said = judge(evidence, POLICY, has_baseline=True)
    assert (said.verdict, said.cause) == (Verdict.ROLLBACK, Cause.GUARD)
    assert says in said.reason


@pytest.mark.parametrize(
    "spans",
    [
        [used(n) for n in range(10)],
        [used(n, cpu_s=2.0 if n % 4 else 1.0, requests=10) for n in range(10)],
        [used(n, cpu_s=2.0 if n % 2 else 1.0) for n in range(10)],
        [used(n, heap=(90 if n % 3 else 30) << 20) for n in range(10)],
        [used(n, threads=60) for n in range(10)],
        [used(n, cpu_s=9.0, gc_s=5.0, warming=True) for n in range(10)],
    ],
)
def test_the_baseline_short_or_young_is_handled(spans: list[Span]) -> None:
    evidence = EMPTY
    for span in spans:
        evidence = weigh_spans(evidence, [span], [QUIET], POLICY)
    assert judge(evidence, POLICY, has_baseline=True).cause is not Cause.GUARD


def test_without_anything_to_compare_with_only_limits_count() -> None:
    spans = [used(n, cpu_s=9.0, threads=500) for n in range(5)]
    assert guard.exceeded(spans, [], POLICY.guards) == {}


# --- business metrics ----------------------------------------------------------------------------


def test_a_drop_holds_with_a_reason_and_is_never_rolled_back() -> None:
    policy = replace(POLICY, series={"orders": SeriesPolicy(0.4)})
    evidence = EMPTY
    for _ in range(3):
        evidence = weigh_bins(evidence, [Bin("orders", 5, 40.0, "3 earlier days")], policy)
    said = judge(evidence, policy, has_baseline=False)
    assert (said.verdict, said.cause) == (Verdict.HOLD, Cause.BUSINESS)
    assert said.reason == "came with a drop in orders: 5 seen, 40 expected"


@pytest.mark.parametrize("seen", [26, 40, 60])
def test_a_change_within_the_tolerance_is_no_drop(seen: float) -> None:
    policy = replace(POLICY, series={"orders": SeriesPolicy(0.4)})
    evidence = EMPTY
    for _ in range(30):
        evidence = weigh_bins(evidence, [Bin("orders", seen, 40.0)], policy)
    assert judge(evidence, policy, has_baseline=False).verdict is Verdict.INCONCLUSIVE


def test_a_metric_without_expectation_or_tolerance_is_ignored() -> None:
    policy = replace(POLICY, series={"orders": SeriesPolicy(0.4)})
    bins = [Bin("orders", 0, None), Bin("visits", 0, 100.0)]
    evidence = weigh_bins(EMPTY, bins, policy)
    assert judge(evidence, policy, has_baseline=False).series == {"orders": pytest.approx(1.0)}


# --- the journal ---------------------------------------------------------------------------------


def test_evidence_survives_json() -> None:
    policy = replace(POLICY, series={"orders": SeriesPolicy(0.4)})
    pair = Pair(Arm(10, 10, 3), Arm(30, 30, 1))
    one = look(
        Arm(10, 8, 2),
        Arm(30, 20, 1),
        slow={0.5: (pair,), 0.9: (pair, pair)},
        lines=LogCounts(40, 1, 2),
        where={"/shop": 2},
    )
    evidence = weigh(EMPTY, one, POLICY, 0.01)
    evidence = weigh_spans(evidence, [used(0, cpu_s=9.0)], [QUIET], POLICY)
    evidence = weigh_bins(evidence, [Bin("orders", 5, 40.0)], policy)
    kept = json.loads(json.dumps(record.to_json(evidence), allow_nan=False))
    assert record.from_json(kept) == evidence
    assert judge(record.from_json(kept), policy, has_baseline=True) == judge(
        evidence, policy, has_baseline=True
    )


@pytest.mark.parametrize(
    "kept",
    [{}, {"mood": 1}, {"error_logs": [0.0]}, {"tail_logs": "x"}, {"spans": {"a": [{"cpu_s": 1}]}}],
)
def test_evidence_in_another_versions_format_starts_anew(kept: dict[str, object]) -> None:
    assert record.from_json(kept) == EMPTY
