"""The checks of the campaign: they find what is wrong, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.support import journal, verdict
from tests.support.faults import Fault, draw
from tests.support.verdict import Evidence
from tests.support.watch import Sight, overhead_s

from bigred_broker.messages import Phase
from bigred_server.demo.sample import BuildKind
from bigred_server.model.action_record import ActionRecord

NODES = ("node1", "node2")
GOOD = Evidence(
    build=BuildKind.GOOD,
    phase=Phase.SUCCEEDED,
    reason="",
    before="1.0.0",
    wanted="2.0.0",
    live=("2.0.0",),
    nodes=NODES,
    serving=dict.fromkeys(NODES, "2.0.0"),
)


def action(
    number: int,
    kind: str,
    span: tuple[float, float | None],
    node: str = "node1",
    token: int = 1,
) -> ActionRecord:
    begun_at, ended_at = span
    outcome = "done" if ended_at else None
    return ActionRecord(number, "d", node, kind, "", begun_at, ended_at, outcome, "", None, token)


def test_a_deployment_that_ended_well_has_no_fault() -> None:
    assert verdict.faults(GOOD) == []


@pytest.mark.parametrize(
    ("evidence", "fault"),
    [
        (replace(GOOD, phase=Phase.ROLLING), "still rolling"),
        (replace(GOOD, build=BuildKind.ANSWERS_500), "was made live"),
        (replace(GOOD, phase=Phase.ROLLED_BACK), "instead of 1.0.0"),
        (replace(GOOD, live=()), "live releases are none"),
        (replace(GOOD, serving={"node1": "2.0.0"}), "node2 is not in the pool"),
        (replace(GOOD, serving={**GOOD.serving, "node2": "1.0.0"}), "node2 serves 1.0.0"),
        (replace(GOOD, failed=("get 502",)), "1 requests failed, 0 may have been"),
        (replace(GOOD, journal=("action 1 was left open",)), "left open"),
    ],
)
def test_violations_at_the_end_are_named(evidence: Evidence, fault: str) -> None:
    found = verdict.faults(evidence)
    assert len(found) == 1
    assert fault in found[0]


@pytest.mark.parametrize(
    "excuse",
    [
        {"out": frozenset({"node2"})},
        {"killed": frozenset({"node2"})},
        {"phase": Phase.FAILED, "reason": "node2: Tomcat did not stop"},
    ],
)
def test_a_node_out_of_the_pool_for_a_reason_is_no_fault(excuse: dict[str, object]) -> None:
    seen = replace(GOOD, serving={"node1": "2.0.0"})
    assert verdict.faults(replace(seen, **excuse)) == []  # type: ignore[arg-type]


def test_requests_in_flight_on_a_killed_node_may_fail() -> None:
    assert verdict.faults(replace(GOOD, failed=("post 502",) * 2, in_flight=2)) == []


def test_actions_in_order_are_consistent() -> None:
    actions = [action(1, "maint", (1, 2)), action(2, "stop", (2, 4)), action(3, "maint", (3, 3.1))]
    actions += [action(4, "stop", (3, 5), node="node2"), action(5, "undeploy", (9, 9.5))]
    assert journal.faults(actions, ended_at=6) == []


@pytest.mark.parametrize(
    ("actions", "fault"),
    [
        ([action(1, "stop", (1, None))], "action 1 (stop node1) was left open"),
        ([action(1, "stop", (7, 8))], "action 1 (stop node1) was begun after the outcome"),
        (
            [action(1, "stop", (1, 3)), action(2, "swap", (2, 4))],
            "action 2 (swap node1) was begun before action 1 (stop node1) had ended",
        ),
        (
            [action(1, "stop", (1, 2), token=2), action(2, "swap", (3, 4), token=1)],
            "action 2 (swap node1) has an older token than action 1 (stop node1)",
        ),
    ],
)
def test_violations_in_a_journal_are_named(actions: list[ActionRecord], fault: str) -> None:
    assert journal.faults(actions, ended_at=6) == [fault]


def test_a_deployment_without_an_outcome_is_named() -> None:
    assert journal.faults([], ended_at=None) == ["it has no outcome"]


def test_a_seed_draws_the_same_run_again() -> None:
    assert draw(7, NODES, list(Fault)) == draw(7, NODES, list(Fault))


def test_every_fault_and_build_is_drawn_but_none_too_often() -> None:
    drawn = [draw(seed, NODES, list(Fault)) for seed in range(300)]
    assert {one.fault for run in drawn for one in run.misfortunes} == set(Fault)
    assert {run.build for run in drawn} == {
        BuildKind.GOOD,
        *(kind for kind in BuildKind if kind.is_bad),
    }
    for run in drawn:
        assert 1 <= len(run.misfortunes) <= 3
        assert [one.at for one in run.misfortunes] == sorted(one.at for one in run.misfortunes)
        assert [one.fault for one in run.misfortunes].count(Fault.TOMCAT_KILLED) <= 1


def preflights(*spans: tuple[float, str]) -> Iterator[Sight]:
    """Yield each moment with the state from then on: b(usy), l(istens), a(live)."""
    for at, flags in spans:
        yield Sight(at, "b" in flags, "l" in flags, "a" in flags)


def test_overhead_is_the_time_that_the_node_itself_did_not_need() -> None:
    actions = [
        action(1, "maint", (10.0, 10.0)),
        action(2, "stop", (12.1, 13.1)),  # noticed 0.1 s late; the port closes 0.1 s later still
        action(3, "start", (13.3, 13.4)),  # 0.2 s later
        action(4, "admit", (15.6, 16.0)),  # 0.2 s after the port
        action(5, "ready", (16.3, 16.3)),  # HAProxy's check took 0.3 s
    ]
    seen = list(
        preflights((9.0, "bla"), (12.0, "la"), (12.2, "a"), (13.1, ""), (13.4, "a"), (15.4, "la"))
    )
    assert overhead_s(actions, seen) == pytest.approx(0.1 + 0.1 + 0.3 + 0.2 + 0.3)


def test_the_managers_work_is_no_overhead() -> None:
    actions = [
        action(1, "maint", (1.0, 1.0)),
        action(2, "deploy", (1.1, 3.1)),
        action(3, "admit", (3.3, 4.3)),
        action(4, "ready", (4.4, 4.5)),
    ]
    assert overhead_s(actions, [Sight(0.0, busy=False, listens=True, lives=True)]) == pytest.approx(
        0.5
    )


def test_a_node_that_was_not_being_updated_has_none() -> None:
    assert overhead_s([], []) is None
    assert overhead_s([action(1, "fetch", (1.0, 2.0))], []) is None
