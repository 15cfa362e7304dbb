"""The receipt: times added up from the actions, requests counted across HAProxy's restarts."""

from dataclasses import replace
from typing import Any

import pytest

from bigred_broker.messages import Phase
from bigred_server.cli.follow import write_receipt
from bigred_server.model.action_record import ActionRecord
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.core import counter_delta
from bigred_server.rollout.core.counter_delta import CounterDelta
from bigred_server.rollout.core.observation import Counters, Coverage, ProcessCounters
from bigred_server.rollout.core.phase_text import phase_text
from bigred_server.rollout.core.policy import Policy, Sessions
from bigred_server.rollout.core.receipt_text import requests_text
from bigred_server.rollout.loop.receipt import NodeTimes, node_times, receipt
from bigred_server.rollout.loop.request_counter import Counted


def actions(*given: tuple[str, float, float | None], node: str = "a") -> list[ActionRecord]:
    """Make actions from (kind, begun, ended)."""
    return [
        ActionRecord(number, "d-1", node, kind, "d", begun, ended, "done", "")
        for number, (kind, begun, ended) in enumerate(given)
    ]


POLICY = Policy(min_healthy=1)
HOOK = actions(("before", 0.0, 1.0), node="")
ONCE = actions(
    ("maint", 0.0, 0.1),
    ("stop", 2.0, 5.0),
    ("swap", 5.5, 6.0),
    ("start", 6.0, 6.5),
    ("admit", 10.0, 11.0),
    ("ready", 13.0, 13.5),
)


def test_a_node_that_went_once_through_the_cycle() -> None:
    assert node_times("a", ONCE, POLICY) == NodeTimes("a", 13.5, 0.0, 2.0, 3.0, 4.5, 3.5)


def test_the_wait_for_its_turn_after_an_early_fetch_is_not_the_time_of_a_node() -> None:
    later = [replace(a, begun_at=a.begun_at + 90, ended_at=(a.ended_at or 0) + 90) for a in ONCE]
    early = actions(("fetch", 2.0, 4.5)) + later
    assert node_times("a", early, POLICY) == NodeTimes("a", 16.0, 2.5, 2.0, 3.0, 4.5, 3.5)


def test_a_fetch_in_the_middle_of_an_update_is_part_of_it() -> None:
    found = node_times(
        "a", actions(("maint", 0.0, 0.1), ("fetch", 1.0, 2.0), ("swap", 3.0, 4.0)), POLICY
    )
    assert (found.fetch_s, found.seconds) == (1.0, 4.0)


def test_a_node_that_was_not_touched() -> None:
    assert node_times("b", ONCE, POLICY) == NodeTimes("b", sessions_lost=0)


def test_a_drain_before_maint_counts_from_the_drain() -> None:
    found = node_times(
        "a", actions(("drain", 0.0, 0.1), ("maint", 9.0, 9.1), ("stop", 10.0, 12.0)), POLICY
    )
    assert (found.drain_s, found.stop_s) == (10.0, 2.0)


def test_a_node_that_was_stopped_already_drains_until_the_swap() -> None:
    found = node_times(
        "a", actions(("maint", 0.0, 0.1), ("swap", 2.0, 3.0), ("start", 3.0, 4.0)), POLICY
    )
    assert (found.drain_s, found.stop_s) == (2.0, 0.0)


def test_maint_set_again_in_the_middle_restarts_nothing() -> None:
    again = ONCE[:4] + actions(("maint", 7.0, 7.1)) + ONCE[4:]
    assert node_times("a", again, POLICY) == node_times("a", ONCE, POLICY)


def test_forward_and_back_is_the_sum_of_both() -> None:
    back = [
        replace(a, begun_at=a.begun_at + 20, ended_at=(a.ended_at or 0) + 20, outcome="done")
        for a in ONCE
    ]
    assert node_times("a", ONCE + back, POLICY) == NodeTimes("a", 33.5, 0.0, 4.0, 6.0, 9.0, 7.0)


def test_an_action_that_never_ended_took_no_time() -> None:
    found = node_times("a", actions(("maint", 0.0, 0.1), ("stop", 2.0, None)), POLICY)
    assert (found.drain_s, found.stop_s, found.seconds) == (2.0, 0.0, 2.0)


JUDGED = {"verdict": "pass", "requests": 60, "failed": 0}


def test_the_receipt_is_complete() -> None:
    record = DeploymentRecord(
        "d-1",
        "shop",
        "d",
        None,
        "office",
        100.0,
        phase=Phase.SUCCEEDED,
        nodes=("a",),
        skipped=("b",),
        judgement=JUDGED,
    )
    counted = Counted(Counters(1000, 1, 2), Coverage(("shop", "shop-ws"), ("admin",)))
    given = receipt(record, "1.1.0", ONCE + HOOK, counted, POLICY, 113.5)
    assert given.pop("per_node") == [
        {
            "name": "a",
            "seconds": 13.5,
            "fetch_s": 0.0,
            "drain_s": 2.0,
            "stop_s": 3.0,
            "start_s": 4.5,
            "check_s": 3.5,
            "sessions": None,
            "sessions_lost": None,
        }
    ]
    assert given == {
        "deployment": "d-1",
        "app": "shop",
        "outcome": "succeeded",
        "reason": "",
        "release": "1.1.0",
        "who": "office",
        "nodes": 1,
        "touched": 1,
        "skipped": ["b"],
        "set_aside": [],
        "seconds": 13.5,
        "judgement": JUDGED,
        "requests": 1000,
        "failed": 1,
        "retried": 2,
        "unit": "requests",
        "backends": ["shop", "shop-ws"],
        "unmanaged": ["admin"],
        "cut": [],
        "sessions": None,
        "sessions_lost": None,
        "hooks": {"before": "done"},
    }


# --- on how many nodes ---------------------------------------------------------------------------


def written(
    phase: Phase, touched: str, capsys: pytest.CaptureFixture[str], **more: tuple[str, ...]
) -> str:
    """Return what is printed of a deployment to a, b and c that touched some of them."""
    fields = {"nodes": ("a", "b", "c"), "ended_at": 9.0, **more}
    record = DeploymentRecord("d-1", "shop", "d", None, "ada", 0.0, phase=phase)
    record = replace(record, **fields)  # type: ignore[arg-type]
    fetched = [one for node in "abc" for one in actions(("fetch", 0.0, 1.0), node=node)]
    done = [one for node in touched for one in actions(("maint", 1.0, 2.0), node=node)]
    counts = Counted(Counters(10, 0, 0))
    made = receipt(record, "1.1.0", [*HOOK, *fetched, *done], counts, POLICY, 9.0)
    write_receipt(replace(record, receipt=made))
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("phase", "touched", "says"),
    [
        (Phase.SUCCEEDED, "abc", "succeeded on 3 nodes in"),
        (Phase.ROLLED_BACK, "a", "rolled back on 1 of 3 nodes in"),
        (Phase.ROLLED_BACK, "abc", "rolled back on 3 nodes in"),
        (Phase.FAILED, "ab", "failed on 2 of 3 nodes in"),
        (Phase.ABORTED, "", "aborted before any node was touched in"),
        # The others had the release already.
        (Phase.SUCCEEDED, "a", "succeeded on 3 nodes in"),
    ],
)
def test_the_receipt_says_on_how_many_nodes_it_happened(
    phase: Phase, touched: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"shop 1.1.0: {says}" in written(phase, touched, capsys)


def test_a_node_that_was_set_aside_is_not_counted_as_live(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = written(Phase.SUCCEEDED, "abc", capsys, set_aside=("b",))
    assert "succeeded on 2 of 3 nodes" in text
    assert "set aside (failed): b" in text


@pytest.mark.parametrize(("nodes", "says"), [(1, "is live on 1 node"), (3, "is live on 3 nodes")])
def test_one_node_is_one_node(nodes: int, says: str) -> None:
    assert phase_text(Phase.SUCCEEDED, "1.1.0", nodes, "") == f"1.1.0 {says}"


def counted(*given: tuple[str, str, int]) -> list[ActionRecord]:
    """Make actions from (kind, the target's digest, sessions on the node)."""
    return [
        ActionRecord(number, "d-1", "a", kind, digest, 0.0, 1.0, "done", "", sessions)
        for number, (kind, digest, sessions) in enumerate(given)
    ]


def test_sessions_still_open_when_tomcat_stops_are_lost() -> None:
    found = node_times("a", counted(("maint", "new", 10), ("stop", "new", 9)), POLICY)
    assert (found.sessions, found.sessions_lost) == (10, 9)


def test_a_repeated_stop_loses_no_session_twice() -> None:
    there = (("maint", "new", 10), ("stop", "new", 9), ("stop", "new", 9))
    assert node_times("a", counted(*there), POLICY).sessions_lost == 9
    back = (*there, ("maint", "old", 3), ("stop", "old", 2))
    assert node_times("a", counted(*back), POLICY).sessions_lost == 11


def test_shared_sessions_are_never_lost() -> None:
    policy = replace(POLICY, sessions_shared=True)
    assert node_times("a", counted(("stop", "new", 9)), policy).sessions_lost == 0


def test_with_parallel_versions_only_an_undeployed_one_loses_its_sessions() -> None:
    policy = replace(POLICY, sessions=Sessions.PARALLEL)
    there = (("drain", "new", 10), ("deploy", "new", 10))
    assert node_times("a", counted(*there), policy).sessions_lost == 0
    back = (*there, ("undeploy", "old", 4))
    assert node_times("a", counted(*back), policy).sessions_lost == 4


def test_a_release_that_is_fetched_takes_its_time_while_the_node_serves() -> None:
    fetched = actions(("fetch", 0.0, 3.0), ("maint", 3.0, 3.1), ("stop", 4.0, 5.0))
    found = node_times("a", fetched, POLICY)
    assert (found.fetch_s, found.drain_s, found.stop_s) == (3.0, 1.0, 1.0)


# --- the counters --------------------------------------------------------------------------------


def deltas_of(*looks: dict[str, tuple[int, Counters]]) -> dict[str, CounterDelta]:
    """Count what these looks saw, one after the other: by HAProxy, its process and counters."""
    deltas: dict[str, CounterDelta] = {}
    for one in looks:
        seen = {at: ProcessCounters(pid, counters) for at, (pid, counters) in one.items()}
        deltas = counter_delta.track(deltas, seen)
    return deltas


def total(*looks: tuple[int, Counters]) -> Counters:
    return counter_delta.total(deltas_of(*({"h": look} for look in looks)).values())


FIRST = (7, Counters(100, 5, 1))
THEN = (7, Counters(150, 6, 1))


def test_what_was_counted_before_is_not_counted() -> None:
    assert total(FIRST) == counter_delta.ZERO
    assert total(FIRST, THEN) == Counters(50, 1, 0)


def test_counting_continues_after_haproxy_restarts() -> None:
    restarted = (FIRST, THEN, (8, Counters(10, 0, 0)))
    assert total(*restarted) == Counters(60, 1, 0)
    assert total(*restarted, (8, Counters(30, 0, 2)), (9, Counters(1, 0, 0))) == Counters(81, 1, 2)


def test_cleared_counters_are_never_negative() -> None:
    assert total(FIRST, THEN, (7, Counters(20, 0, 0))) == Counters(70, 1, 0)


def test_the_restart_of_one_haproxy_adds_nothing_of_the_other() -> None:
    deltas = deltas_of(
        {"a": FIRST, "b": (3, Counters(9000, 90, 0))},
        {"a": (8, Counters(4, 0, 0)), "b": (3, Counters(9010, 90, 0))},
    )
    assert counter_delta.total(deltas.values()) == Counters(14, 0, 0)


@pytest.mark.parametrize("restarts", [0, 1])
def test_counts_are_kept_as_json(restarts: int) -> None:
    looks = [FIRST, *((8 + number, Counters(4, 5, 6)) for number in range(restarts))]
    deltas = deltas_of(*({"h": look} for look in looks))
    assert counter_delta.from_json(counter_delta.to_json(deltas)) == deltas


def test_the_one_sum_of_an_earlier_version_is_left_out() -> None:
    assert counter_delta.from_json({"pid": 7, "base": {}, "seen": {}, "carried": {}}) == {}


def test_the_receipt_says_whose_requests_it_counts() -> None:
    made: dict[str, Any] = {"requests": 7, "failed": 0, "retried": 1}
    assert requests_text(made) == "7 requests during the deployment: 0 failed, 1 retried"
    made |= {"unit": "connections", "backends": ["a", "b"], "unmanaged": ["c"], "cut": ["n1"]}
    assert requests_text(made) == (
        "7 connections during the deployment in a, b: 0 failed, 1 retried; HAProxy sees no "
        "requests in TCP mode, so more of them may have failed; requests in flight on n1 were cut "
        "and are not all counted; the users of c are not counted"
    )
