"""The plan: the rollout's own rules, applied beforehand, with figures from earlier rollouts."""

from dataclasses import replace
from typing import Any  # a receipt is JSON

import pytest
from tests.support.looks import changed
from tests.support.views import BLIND, DOWN, NEW, OLD, ON_NEW, ON_OLD, POLICY, deployment

from bigred_broker.messages import Phase
from bigred_server.model.hook import Hook
from bigred_server.rollout.core import sentences
from bigred_server.rollout.core.estimate import node_seconds, whole_seconds
from bigred_server.rollout.core.observation import NodeLook, Version
from bigred_server.rollout.core.plan import UNCOUNTED, Plan, plan, to_be
from bigred_server.rollout.core.policy import Policy, Sessions
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.core.target import Strategy, Target

DIGEST = "1" * 64

HELD = changed(ON_OLD, versions=(Version("", "old", sessions=7),))
KEPT = changed(ON_OLD, kept=frozenset({"new"}))
LACKS = changed(ON_OLD, kept=frozenset())


def made(
    policy: Policy = POLICY,
    target: Target = NEW,
    previous: Target | None = OLD,
    hindrance: str = "",
    queued: int = 0,
    history: tuple[dict[str, Any], ...] = (),
    **looks: NodeLook,
) -> Plan:
    named = {name: replace(look, name=name) for name, look in looks.items()}
    planned = deployment(Phase.PREPARING, (), previous, target=target)
    look = FleetLook({}, None, {}, queued=queued)
    return plan(to_be(planned, named, policy, look), history, hindrance)


def receipt(outcome: Phase = Phase.SUCCEEDED, **seconds: float) -> dict[str, Any]:
    nodes = [{"name": name, "seconds": taken} for name, taken in seconds.items()]
    return {"outcome": str(outcome), "per_node": nodes}


@pytest.mark.parametrize(
    ("policy", "batches"),
    [
        (Policy(min_healthy=1), [["a"], ["b"], ["c"], ["d"]]),
        (Policy(min_healthy=1, batch=2), [["a"], ["b", "c"], ["d"]]),
        (Policy(min_healthy=1, batch=9), [["a"], ["b", "c", "d"]]),
        (Policy(min_healthy=2, batch=9), [["a"], ["b", "c"], ["d"]]),
        (Policy(min_healthy=3, batch=9), [["a"], ["b"], ["c"], ["d"]]),
        (Policy(min_healthy=0, batch=9, canary=0), [["a", "b", "c", "d"]]),
        (Policy(min_healthy=1, batch=2, canary=2), [["a"], ["b"], ["c", "d"]]),
    ],
)
def test_canaries_go_first_and_batches_never_leave_too_few(
    policy: Policy, batches: list[list[str]]
) -> None:
    found = made(policy, a=ON_OLD, b=ON_OLD, c=ON_OLD, d=ON_OLD)
    assert found.could_begin
    assert [list(batch) for batch in found.batches] == batches


def test_nodes_that_are_down_are_skipped_and_listed() -> None:
    found = made(a=ON_OLD, b=DOWN, c=ON_OLD)
    assert (found.batches, found.skipped) == ((("a",), ("c",)), ("b",))
    assert [node.steps == () for node in found.nodes] == [False, True, False]
    assert found.nodes[1].trouble == "HAProxy reports it down"


def test_a_node_that_already_serves_the_release_is_left_alone() -> None:
    found = made(a=ON_NEW, b=ON_OLD, c=ON_OLD)
    assert found.batches == (("b",), ("c",))
    assert (found.nodes[0].steps, found.nodes[0].fate) == ((), "untouched")


@pytest.mark.parametrize(
    ("looks", "reason"),
    [
        ({"a": ON_OLD, "b": DOWN}, sentences.too_few(1, 2, 1)),
        ({"a": ON_OLD, "b": ON_OLD, "c": BLIND}, sentences.FLEET_UNKNOWN),
        (
            {"a": ON_OLD, "b": changed(ON_OLD, digest=None, problem="no answer by SSH")},
            sentences.unreachable("b", "no answer by SSH"),
        ),
        (
            {"a": changed(LACKS, free=1), "b": LACKS, "c": LACKS},
            sentences.no_disk_space("a", 1, 64 << 20),
        ),
    ],
)
def test_a_plan_that_could_not_start_says_why_and_touches_nothing(
    looks: dict[str, NodeLook], reason: str
) -> None:
    found = made(POLICY, NEW, OLD, "", 0, (), **looks)
    assert (found.could_begin, found.reason) == (False, reason)
    assert (found.batches, found.seconds, found.sessions_lost) == ((), None, 0)
    assert all(node.steps == () for node in found.nodes)


def test_a_running_deployment_prevents_another() -> None:
    found = made(hindrance="another runs", a=ON_OLD, b=ON_OLD)
    assert (found.could_begin, found.reason, found.batches) == (False, "another runs", ())


def test_the_very_first_release_goes_to_nodes_that_serve_nobody() -> None:
    bare = changed(DOWN, digest="", kept=frozenset())
    found = made(previous=None, a=bare, b=bare, c=bare)
    assert found.batches == (("a",), ("b", "c"))
    assert found.nodes[0].steps == ("maint", "fetch", "swap", "start", "admit", "ready")


ONE = Version("", "old", sessions=3)


@pytest.mark.parametrize(
    ("look", "strategy", "sessions", "steps"),
    [
        (KEPT, Strategy.RESTART, Sessions.MOVE, "maint stop swap start admit ready"),
        (LACKS, Strategy.RESTART, Sessions.MOVE, "fetch maint stop swap start admit ready"),
        (
            changed(LACKS, versions=(ONE,)),
            Strategy.RESTART,
            Sessions.WAIT,
            "fetch drain maint stop swap start admit ready",
        ),
        (KEPT, Strategy.REDEPLOY, Sessions.MOVE, "maint deploy admit ready"),
        (
            changed(KEPT, versions=(ONE,)),
            Strategy.PARALLEL,
            Sessions.PARALLEL,
            "drain deploy admit ready",
        ),
    ],
)
def test_the_steps_of_a_node_are_those_of_its_strategy(
    look: NodeLook, strategy: Strategy, sessions: Sessions, steps: str
) -> None:
    policy = Policy(min_healthy=1, sessions=sessions)
    found = made(policy, Target("new", "2", strategy), a=look, b=ON_OLD)
    assert " ".join(found.nodes[0].steps) == steps


@pytest.mark.parametrize(
    ("look", "sessions", "shared", "fate", "lost"),
    [
        (HELD, Sessions.MOVE, False, "moved; lost unless the app can rebuild them", 14),
        (HELD, Sessions.MOVE, True, "kept: shared", 0),
        (HELD, Sessions.WAIT, False, "waited for, up to 1800 s; any left then are lost", 0),
        (HELD, Sessions.PARALLEL, False, "stay on the old version", 0),
        (ON_OLD, Sessions.MOVE, False, UNCOUNTED, None),
        (ON_OLD, Sessions.WAIT, False, UNCOUNTED, None),
        (ON_OLD, Sessions.MOVE, True, "kept: shared", 0),
    ],
)
def test_the_fate_of_sessions_is_planned(
    look: NodeLook, sessions: Sessions, shared: bool, fate: str, lost: int | None
) -> None:
    policy = Policy(min_healthy=1, sessions=sessions, sessions_shared=shared)
    strategy = Strategy.PARALLEL if sessions is Sessions.PARALLEL else Strategy.RESTART
    found = made(policy, replace(NEW, strategy=strategy), a=look, b=look)
    assert [node.fate for node in found.nodes] == [fate, fate]
    assert found.sessions_lost == lost


def test_only_the_sessions_of_nodes_that_are_touched_are_lost() -> None:
    assert made(a=HELD, b=HELD, c=changed(ON_NEW, versions=HELD.host.versions)).sessions_lost == 14


def test_nodes_that_could_not_carry_the_load_are_named() -> None:
    full = changed(ON_OLD, in_flight=9, capacity=10)
    found = made(a=full, b=full)
    assert [node.carried for node in found.nodes] == [False, False]
    assert [node.trouble for node in found.nodes] == [sentences.NO_HEADROOM] * 2
    assert found.batches == (("a",), ("b",))
    assert not made(queued=1, a=ON_OLD, b=ON_OLD).nodes[0].carried


def test_hooks_are_named_in_their_order() -> None:
    policy = Policy(min_healthy=1, hooks=frozenset(Hook))
    found = made(policy, a=ON_OLD, b=ON_OLD)
    assert (found.could_begin, found.hooks) == (True, (Hook.BEFORE, Hook.AFTER))


def test_a_nodes_time_is_its_own_median_or_that_of_all_or_unknown() -> None:
    history = (
        receipt(a=10.0, b=30.0),
        receipt(a=12.0, b=0.0),
        receipt(a=20.0),
        receipt(Phase.ROLLED_BACK, a=900.0, c=900.0),
    )
    assert node_seconds("a", history) == 12.0
    assert node_seconds("b", history) == 30.0
    assert node_seconds("c", history) == 16.0
    assert node_seconds("a", history[3:]) is None


BAKED = Policy(min_healthy=1, canary_bake_s=60.0, batch_bake_s=10.0, last_bake_s=100.0)


@pytest.mark.parametrize(
    ("batches", "policy", "whole"),
    [
        ([["a"], ["b", "c"]], POLICY, 10.0 + 30.0),
        ([["a"], ["b", "c"]], BAKED, 10.0 + 60.0 + 30.0 + 100.0),
        ([["a"], ["b"], ["c"]], BAKED, 10.0 + 60.0 + 20.0 + 10.0 + 30.0 + 100.0),
        ([["a"], ["b"]], replace(BAKED, canary=0), 10.0 + 10.0 + 20.0 + 100.0),
        ([["a"]], BAKED, 10.0 + 100.0),
        ([["a"], ["d"]], POLICY, None),
        ([], POLICY, 0.0),
    ],
)
def test_the_total_is_the_batches_and_the_bakes_between_them(
    batches: list[list[str]], policy: Policy, whole: float | None
) -> None:
    seconds = {"a": 10.0, "b": 20.0, "c": 30.0, "d": None}
    assert whole_seconds(batches, seconds, policy) == whole
