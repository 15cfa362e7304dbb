"""The rules on the way forward: nodes to set aside, baking, hooks, and nodes to wait for."""

from dataclasses import replace

import pytest
from tests.support.looks import changed
from tests.support.views import (
    BLIND,
    CLOSED,
    DOWN,
    NEW,
    ON_NEW,
    ON_OLD,
    POLICY,
    STARTING,
    STOPPED,
    Given,
    deployment,
    kinds,
    updated,
    view,
)

from bigred_broker.messages import Phase
from bigred_server.model.command import Command
from bigred_server.model.hook import Hook, HookState
from bigred_server.rollout.core.action import ActionKind
from bigred_server.rollout.core.decide import decide
from bigred_server.rollout.core.decision import Call, Decision
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Admin, NodeLook
from bigred_server.rollout.core.policy import OnDeadline

ALL_NEW: Given = {"a": ON_NEW, "b": ON_NEW, "c": ON_NEW}

# --- a node's fault, and the build's -------------------------------------------------------------


@pytest.mark.parametrize("look", [STARTING, changed(STOPPED, digest=None), BLIND])
def test_a_node_that_fails_after_another_passed_is_set_aside_once(look: NodeLook) -> None:
    found = decide(view(deployment(), waited_s=301.0, a=look, b=ON_NEW, c=ON_OLD))
    assert (found.phase, found.set_aside, found.actions) == (Phase.ROLLING, ("a",), ())
    assert found.finding.endswith("; it is set aside, and the other nodes continue")


def test_the_second_node_that_fails_is_the_builds_fault() -> None:
    once = deployment(set_aside=("c",))
    found = decide(view(once, waited_s=301.0, a=STARTING, b=ON_NEW, c=STOPPED))
    assert (found.phase, found.blames_build) == (Phase.ROLLING_BACK, True)


def test_a_canary_that_does_not_come_up_is_the_builds_fault_at_once() -> None:
    going = deployment(Phase.CANARY)
    found = decide(view(going, waited_s=301.0, a=STARTING, b=ON_OLD, c=ON_OLD))
    assert (found.phase, found.blames_build) == (Phase.ROLLING_BACK, True)


def test_a_canary_that_fails_before_the_build_runs_gives_way_to_the_next() -> None:
    going = deployment(Phase.CANARY)
    found = decide(
        view(going, wait={"tries": 2, "failure": "no room"}, a=STOPPED, b=ON_OLD, c=ON_OLD)
    )
    assert found.set_aside == ("a",)
    found = decide(view(deployment(Phase.CANARY, set_aside=("a",)), a=CLOSED, b=ON_OLD, c=ON_OLD))
    assert kinds(found) == {"b": ActionKind.MAINT}


def test_a_node_is_not_set_aside_if_too_few_would_remain() -> None:
    policy = replace(POLICY, min_healthy=3)
    found = decide(
        view(deployment(), policy=policy, waited_s=301.0, a=STARTING, b=ON_NEW, c=ON_OLD)
    )
    assert found.phase is Phase.ROLLING_BACK


def test_a_node_that_was_set_aside_leaves_the_pool_before_the_end() -> None:
    once = deployment(set_aside=("a",))
    found = decide(view(once, a=ON_OLD, b=ON_NEW, c=ON_NEW))
    assert (found.phase, kinds(found)) == (Phase.ROLLING, {"a": ActionKind.MAINT})
    found = decide(view(once, a=DOWN, b=ON_NEW, c=ON_NEW))
    assert (found.phase, kinds(found)) == (Phase.ROLLING, {"a": ActionKind.MAINT})
    assert decide(view(once, a=CLOSED, b=ON_NEW, c=ON_NEW)).phase is Phase.SUCCEEDED


def test_a_node_that_was_set_aside_stays_in_the_pool_while_it_is_needed() -> None:
    once = deployment(set_aside=("a",))
    policy = replace(POLICY, min_healthy=2)
    found = decide(view(once, policy=policy, a=ON_OLD, b=STOPPED, c=DOWN, d=ON_NEW))
    assert "a" not in kinds(found)


# --- the release comes to the node ---------------------------------------------------------------


def test_a_release_is_fetched_before_its_node_is_removed() -> None:
    lacking = changed(ON_OLD, kept=frozenset({"old"}))
    found = decide(view(deployment(), a=lacking, b=ON_NEW, c=ON_NEW))
    assert kinds(found) == {"a": ActionKind.FETCH}
    having = changed(ON_OLD, kept=frozenset({"old", "new"}))
    assert kinds(decide(view(deployment(), a=having, b=ON_NEW, c=ON_NEW))) == {
        "a": ActionKind.MAINT
    }


def test_a_failed_fetch_leaves_the_node_in_the_pool() -> None:
    lacking = changed(ON_OLD, kept=frozenset({"old"}))
    once = {"tries": 1, "failure": "no room", "tried_at_s": 100.0}
    assert not decide(view(deployment(), waited_s=4.9, wait=once, a=lacking, b=ON_NEW)).actions
    found = decide(view(deployment(), waited_s=5.0, wait=once, a=lacking, b=ON_NEW))
    assert kinds(found) == {"a": ActionKind.FETCH}
    twice = {"tries": 2, "failure": "no room"}
    assert decide(view(deployment(), wait=twice, a=lacking, b=ON_NEW)).set_aside == ("a",)


def test_a_node_being_updated_that_lost_the_release_fetches_it_again() -> None:
    lacking = changed(STOPPED, kept=frozenset())
    assert kinds(decide(view(deployment(), a=lacking, b=ON_NEW))) == {"a": ActionKind.FETCH}


# --- headroom ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("load", "queued", "taken"), [(8, 0, True), (9, 0, False), (1, 1, False)])
def test_a_node_is_removed_only_when_the_others_can_carry_its_load(
    load: int, queued: int, taken: bool
) -> None:
    # Two others serve ten at once each, and may be filled to four fifths: sixteen.
    full = changed(ON_NEW, capacity=10, in_flight=load)
    mine = changed(ON_OLD, capacity=10, in_flight=0)
    seen = view(deployment(), queued=queued, a=mine, b=full, c=full)
    assert bool(decide(seen).actions) is taken


def test_a_rollout_that_waits_too_long_for_headroom_is_held() -> None:
    full = changed(ON_NEW, capacity=10, in_flight=9)
    seen = view(deployment(), waited_s=601.0, a=changed(ON_OLD, capacity=10), b=full, c=full)
    found = decide(seen)
    assert (found.phase, found.reason) == (
        Phase.HOLDING,
        "the other nodes could not carry the load of one more node",
    )


# --- baking --------------------------------------------------------------------------------------


def test_the_canaries_are_baked_before_the_others_are_removed() -> None:
    policy = replace(POLICY, canary_bake_s=60.0)
    going = deployment(Phase.CANARY)
    looks: Given = {"a": ON_NEW, "b": ON_OLD, "c": ON_OLD}
    assert decide(view(going, policy=policy, waited_s=59.0, **looks)).phase is Phase.CANARY
    assert decide(view(going, policy=policy, waited_s=60.0, **looks)).phase is Phase.ROLLING


def test_several_canaries_go_one_by_one() -> None:
    policy = replace(POLICY, canary=2, batch=3)
    going = deployment(Phase.CANARY)
    assert kinds(decide(view(going, policy=policy, a=ON_OLD, b=ON_OLD, c=ON_OLD))) == {
        "a": ActionKind.MAINT
    }
    found = decide(view(going, policy=policy, a=ON_NEW, b=ON_OLD, c=ON_OLD))
    assert (found.phase, kinds(found)) == (Phase.CANARY, {"b": ActionKind.MAINT})


def test_a_batch_is_baked_before_the_next_starts() -> None:
    policy = replace(POLICY, batch_bake_s=30.0)
    looks: Given = {"a": ON_NEW, "b": ON_OLD, "c": ON_OLD}
    assert not decide(view(deployment(), policy=policy, waited_s=29.0, **looks)).actions
    assert decide(view(deployment(), policy=policy, waited_s=30.0, **looks)).actions


def test_all_nodes_are_baked_at_the_end() -> None:
    policy = replace(POLICY, last_bake_s=300.0)
    found = decide(view(deployment(), policy=policy, **ALL_NEW))
    assert (found.phase, found.actions) == (Phase.BAKING, ())
    baking = deployment(Phase.BAKING)
    assert decide(view(baking, policy=policy, waited_s=299.0, **ALL_NEW)).phase is Phase.BAKING
    assert decide(view(baking, policy=policy, waited_s=300.0, **ALL_NEW)).phase is Phase.SUCCEEDED
    down = {**ALL_NEW, "b": DOWN}
    assert kinds(decide(view(baking, policy=policy, waited_s=1.0, **down))) == {
        "b": ActionKind.MAINT
    }


def test_no_deployment_waits_for_ever_for_a_person() -> None:
    held = deployment(Phase.HOLDING)
    looks: Given = {"a": ON_NEW, "b": ON_OLD, "c": ON_OLD}
    assert decide(view(held, waited_s=3600.0, **looks)).phase is Phase.HOLDING
    found = decide(view(held, waited_s=3600.1, **looks))
    assert (found.phase, found.blames_build) == (Phase.ROLLING_BACK, False)
    policy = replace(POLICY, on_hold_deadline=OnDeadline.CONTINUE)
    assert decide(view(held, policy=policy, waited_s=3600.1, **looks)).phase is Phase.ROLLING


# --- hooks ---------------------------------------------------------------------------------------

HOOKED = replace(POLICY, hooks=frozenset(Hook))


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        (HookState.RUNNING, Phase.PREPARING),
        (HookState.DONE, Phase.CANARY),
        (HookState.FAILED, Phase.ABORTED),
        (HookState.INTERRUPTED, Phase.ABORTED),
    ],
)
def test_before_runs_once_and_nothing_is_touched_until_it_is_done(
    state: HookState, phase: Phase
) -> None:
    first = decide(view(deployment(Phase.PREPARING, ()), policy=HOOKED, a=ON_OLD, b=ON_OLD))
    assert (first.phase, first.hook) == (Phase.PREPARING, Call(Hook.BEFORE))
    going = deployment(Phase.PREPARING, (), hooks={Hook.BEFORE: state})
    found = decide(view(going, policy=HOOKED, a=ON_OLD, b=ON_OLD))
    assert (found.phase, found.hook) == (phase, None)


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        (HookState.RUNNING, Phase.BAKING),
        (HookState.DONE, Phase.SUCCEEDED),
        (HookState.FAILED, Phase.SUCCEEDED),
        (HookState.INTERRUPTED, Phase.SUCCEEDED),
    ],
)
def test_after_runs_once_when_the_last_bake_is_over(state: HookState, phase: Phase) -> None:
    policy = replace(HOOKED, last_bake_s=10.0)
    baking = deployment(Phase.BAKING)
    assert decide(view(baking, policy=policy, waited_s=9.0, **ALL_NEW)).hook is None
    found = decide(view(baking, policy=policy, waited_s=10.0, **ALL_NEW))
    assert (found.phase, found.hook) == (Phase.BAKING, Call(Hook.AFTER))
    going = deployment(Phase.BAKING, hooks={Hook.AFTER: state})
    found = decide(view(going, policy=policy, waited_s=10.0, **ALL_NEW))
    assert (found.phase, found.hook) == (phase, None)
    assert bool(found.reason) is (state in (HookState.FAILED, HookState.INTERRUPTED))


def test_on_failure_runs_once_before_the_deployment_ends_badly() -> None:
    back = deployment(Phase.ROLLING_BACK)
    looks: Given = {"a": ON_OLD, "b": ON_OLD, "c": ON_OLD}
    found = decide(view(back, policy=HOOKED, **looks))
    assert found.phase is Phase.ROLLING_BACK
    assert found.hook == Call(Hook.ON_FAILURE, Phase.ROLLED_BACK, "")
    for state in (HookState.DONE, HookState.FAILED, HookState.INTERRUPTED):
        back = deployment(Phase.ROLLING_BACK, hooks={Hook.ON_FAILURE: state})
        assert decide(view(back, policy=HOOKED, **looks)).phase is Phase.ROLLED_BACK
    back = deployment(Phase.ROLLING_BACK, hooks={Hook.ON_FAILURE: HookState.RUNNING})
    assert decide(view(back, policy=HOOKED, **looks)).phase is Phase.ROLLING_BACK


def test_without_a_rollback_target_on_failure_settles_the_outcome() -> None:
    first = deployment(previous=None)
    dead: Given = {"a": ON_NEW, "b": ON_NEW, "c": changed(CLOSED, digest="new")}
    found = decide(view(first, policy=HOOKED, waited_s=301.0, **dead))
    assert found.phase is Phase.ROLLING
    assert found.hook is not None
    assert found.hook.outcome is Phase.FAILED
    assert found.reason == found.hook.reason != ""
    going = replace(first, hooks={Hook.ON_FAILURE: HookState.RUNNING})
    for command in (None, *Command):
        asked = updated(going, command=command)
        assert decide(view(asked, policy=HOOKED, **ALL_NEW)) == Decision(Phase.ROLLING)
    for state in (HookState.DONE, HookState.FAILED, HookState.INTERRUPTED):
        over = replace(first, hooks={Hook.ON_FAILURE: state})
        assert decide(view(over, policy=HOOKED, **ALL_NEW)) == Decision(Phase.FAILED)


def test_a_rollback_runs_no_hook_of_a_rollout() -> None:
    back = deployment(Phase.ROLLING_BACK)
    for look in (ON_NEW, STOPPED, CLOSED, ON_OLD):
        found = decide(view(back, policy=HOOKED, a=look, b=ON_OLD, c=ON_OLD))
        assert found.hook is None or found.hook.hook is Hook.ON_FAILURE


# --- nodes in scope ------------------------------------------------------------------------------


def test_a_node_that_returned_meanwhile_is_updated_before_the_end() -> None:
    going = deployment(nodes=("a", "b"), skipped=("c", "d"))
    found = decide(view(going, a=ON_NEW, b=ON_NEW, c=ON_OLD, d=DOWN))
    assert (found.phase, found.nodes, found.skipped) == (Phase.ROLLING, ("a", "b", "c"), ("d",))
    assert decide(view(going, a=ON_NEW, b=ON_NEW, c=DOWN, d=DOWN)).phase is Phase.SUCCEEDED


def test_without_canaries_the_batches_begin_at_once() -> None:
    policy = replace(POLICY, canary=0)
    found = decide(view(deployment(Phase.PREPARING, ()), policy=policy, a=ON_OLD, b=ON_OLD))
    assert found.phase is Phase.ROLLING


def test_a_full_disk_is_reported_before_anything_is_touched() -> None:
    full = changed(ON_OLD, kept=frozenset({"old"}), free=3 << 20)
    found = decide(view(deployment(Phase.PREPARING, ()), a=ON_OLD, b=full))
    assert found.phase is Phase.ABORTED
    assert found.reason.startswith("b: its disk has 3 MiB free, but 65 MiB are needed")
    fetched = changed(full, kept=frozenset({"new"}))
    assert decide(view(deployment(Phase.PREPARING, ()), a=ON_OLD, b=fetched)).phase is Phase.CANARY


def test_an_unreachable_node_is_awaited_and_then_nothing_is_touched() -> None:
    away = changed(ON_OLD, digest=None, problem="ssh to node b: connection refused")
    preparing = deployment(Phase.PREPARING, ())
    assert decide(view(preparing, waited_s=60.0, a=ON_OLD, b=away)).phase is Phase.PREPARING
    found = decide(view(preparing, waited_s=60.1, a=ON_OLD, b=away))
    assert (found.phase, found.reason) == (Phase.ABORTED, "b: ssh to node b: connection refused")


def test_an_unknown_release_is_not_replaced_without_a_rollback_target() -> None:
    untold = changed(ON_OLD, digest=UNKNOWN_DIGEST)
    unknown = deployment(Phase.PREPARING, (), previous=None)
    found = decide(view(unknown, a=untold, b=untold))
    assert found.phase is Phase.ABORTED
    assert "submit the live release first" in found.reason
    assert decide(view(deployment(Phase.PREPARING, ()), a=untold, b=untold)).phase is Phase.CANARY


# --- repairing a node ----------------------------------------------------------------------------

REPAIR = deployment(Phase.PREPARING, (), None, mends="b")


def test_a_repair_touches_only_its_node() -> None:
    found = decide(view(REPAIR, a=ON_NEW, b=CLOSED, c=ON_OLD))
    assert (found.phase, found.nodes) == (Phase.ROLLING, ("b",))
    going = deployment(Phase.ROLLING, ("b",), None, mends="b")
    assert kinds(decide(view(going, a=ON_NEW, b=ON_OLD, c=ON_NEW))) == {"b": ActionKind.MAINT}
    assert decide(view(going, policy=HOOKED, a=ON_OLD, b=ON_NEW)).phase is Phase.SUCCEEDED


def test_a_repair_that_fails_rolls_nothing_back() -> None:
    going = deployment(Phase.ROLLING, ("b",), None, mends="b")
    found = decide(view(going, policy=HOOKED, waited_s=301.0, a=ON_NEW, b=STARTING, c=ON_NEW))
    assert (found.phase, found.blames_build, found.hook) == (Phase.FAILED, False, None)


def test_a_repair_never_takes_the_pool_below_min_healthy() -> None:
    going = deployment(Phase.ROLLING, ("b",), None, mends="b")
    assert not decide(view(going, a=DOWN, b=ON_OLD, c=DOWN)).actions


# --- several HAProxies ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "look",
    [
        changed(ON_OLD, admin=Admin.MIXED, partially_up=True),
        # One of them finds it down: there is no path between those two.
        changed(ON_OLD, up=False, partially_up=True),
    ],
)
def test_a_node_in_one_haproxys_pool_is_removed_only_when_the_pool_allows(
    look: NodeLook,
) -> None:
    assert kinds(decide(view(deployment(), a=look, b=ON_NEW, c=ON_NEW))) == {"a": ActionKind.MAINT}
    policy = replace(POLICY, min_healthy=3)
    assert not decide(view(deployment(), policy=policy, a=look, b=ON_NEW, c=ON_NEW)).actions


def test_a_node_that_is_back_in_some_pools_returns_to_all_on_a_fresh_check() -> None:
    mixed = changed(ON_NEW, admin=Admin.MIXED, fresh=False)
    assert not decide(view(deployment(), a=mixed, b=ON_NEW, c=ON_NEW)).actions
    fresh = changed(mixed, fresh=True)
    assert kinds(decide(view(deployment(), a=fresh, b=ON_NEW, c=ON_NEW))) == {"a": ActionKind.READY}
    assert NEW.digest == "new"


# --- the release is fetched ahead ---------------------------------------------------------------

WITHOUT = changed(ON_OLD, kept=frozenset())
KEEPS = changed(ON_OLD, kept=frozenset({"new"}))
FETCH, MAINT = ActionKind.FETCH, ActionKind.MAINT


@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.ROLLING])
def test_the_release_is_fetched_to_the_others_while_the_first_is_updated(phase: Phase) -> None:
    found = decide(view(deployment(phase), a=STOPPED, b=WITHOUT, c=WITHOUT))
    assert kinds(found) == {"a": ActionKind.SWAP, "b": FETCH, "c": FETCH}


def test_nothing_is_fetched_ahead_before_the_first_node_has_the_release() -> None:
    found = decide(view(deployment(Phase.CANARY), a=WITHOUT, b=WITHOUT, c=WITHOUT))
    assert kinds(found) == {"a": FETCH}


def test_nothing_is_fetched_ahead_while_the_deployment_is_on_hold() -> None:
    found = decide(view(deployment(Phase.HOLDING), a=STARTING, b=WITHOUT, c=WITHOUT))
    assert kinds(found) == {}


def test_a_rollback_does_not_wait_for_nodes_that_fetch_what_they_no_longer_need() -> None:
    going = deployment(Phase.ROLLING_BACK)
    found = decide(view(going, busy={"b": FETCH, "c": FETCH}, a=ON_NEW, b=WITHOUT, c=WITHOUT))
    assert kinds(found) == {"a": MAINT}


def test_a_rollback_ends_while_a_node_still_fetches_what_it_no_longer_needs() -> None:
    going = deployment(Phase.ROLLING_BACK)
    found = decide(view(going, busy={"b": FETCH}, a=ON_OLD, b=WITHOUT, c=ON_OLD))
    assert found.phase is Phase.ROLLED_BACK
    busy = decide(view(going, busy={"b": ActionKind.READY}, a=ON_OLD, b=ON_OLD, c=ON_OLD))
    assert busy.phase is Phase.ROLLING_BACK


def test_only_a_few_nodes_fetch_at_once() -> None:
    names = "bcdefgh"
    looks: Given = {"a": STARTING, **dict.fromkeys(names, WITHOUT)}
    going = deployment(nodes=tuple(looks))
    assert kinds(decide(view(going, **looks))) == dict.fromkeys("bcde", FETCH)
    busy = dict.fromkeys("bcd", FETCH)
    assert kinds(decide(view(going, busy=busy, **looks))) == {"e": FETCH}


def test_a_node_that_fetches_ahead_takes_no_place_in_the_batch() -> None:
    going = deployment()
    found = decide(view(going, busy={"b": FETCH}, a=ON_NEW, b=WITHOUT, c=KEEPS))
    assert kinds(found) == {"c": MAINT}


def test_a_fetch_ahead_that_failed_is_tried_again_at_the_nodes_turn_and_not_before() -> None:
    wait = {"tries": 1, "tried_at_s": 0.0, "failure": "no room"}
    early = decide(view(deployment(), wait=wait, a=WITHOUT, b=STARTING, c=KEEPS))
    assert kinds(early) == {}
    assert not early.set_aside
    assert kinds(decide(view(deployment(), wait=wait, a=WITHOUT, b=ON_NEW, c=KEEPS))) == {
        "a": FETCH
    }


def test_nothing_is_fetched_ahead_if_the_first_failure_is_the_last() -> None:
    policy = replace(POLICY, tries=1)
    assert kinds(decide(view(deployment(), policy=policy, a=STARTING, b=WITHOUT, c=KEEPS))) == {}


def test_a_node_that_fetches_ahead_serves_all_the_while() -> None:
    policy = replace(POLICY, min_healthy=2)
    found = decide(
        view(deployment(), policy=policy, busy={"b": FETCH}, a=ON_NEW, b=WITHOUT, c=KEEPS)
    )
    assert kinds(found) == {"c": MAINT}
