"""The next action for everything that a look can show: none that the look does not justify."""

from dataclasses import replace
from itertools import product

import pytest
from tests.support.looks import changed, node_look
from tests.support.views import (
    BLIND,
    CHECKING,
    CLOSED,
    DOWN,
    DRAINED,
    NEW,
    ON_NEW,
    ON_OLD,
    POLICY,
    SAYS,
    STARTING,
    STOPPED,
    STRICT,
    SWAPPED,
    UP,
    Given,
    deployment,
    kinds,
    updated,
    view,
)

from bigred_broker.messages import Phase
from bigred_server.model.command import Command
from bigred_server.rollout.core.action import OUT_OF_POOL, Action, ActionKind
from bigred_server.rollout.core.decide import decide
from bigred_server.rollout.core.decision import Decision
from bigred_server.rollout.core.observation import Admin, Answer, NodeLook, Version
from bigred_server.rollout.core.policy import OnDrainDeadline, Sessions
from bigred_server.rollout.core.target import Target
from bigred_server.rollout.core.view import View, wanted

# --- every look ----------------------------------------------------------------------------------

EVERY_LOOK = [
    node_look("a", *levels)
    for levels in product(
        Admin,
        (True, False),
        (True, False, None),
        (0, 2),
        ("new", "old", "", None),
        (True, False, None),
        SAYS.values(),
    )
]


def proven(look: NodeLook, target: Target) -> bool:
    return (
        look.host.digest == target.digest and look.answer.ok and look.answer.marker == target.marker
    )


def justified(kind: ActionKind, look: NodeLook, target: Target) -> bool:
    """Return whether a fresh look justifies an action, by the safe cycle of the design."""
    closed = look.pool.admin is Admin.MAINT and look.pool.in_flight == 0
    return {
        ActionKind.DRAIN: False,
        ActionKind.CUT: False,
        ActionKind.FETCH: False,
        ActionKind.DEPLOY: False,
        ActionKind.UNDEPLOY: False,
        ActionKind.MAINT: look.pool.admin in (Admin.READY, Admin.DRAIN, Admin.MIXED)
        and not proven(look, target),
        ActionKind.STOP: closed and look.host.digest != target.digest and look.host.running is True,
        ActionKind.SWAP: closed
        and look.host.digest != target.digest
        and look.host.running is False,
        ActionKind.START: closed
        and look.host.digest == target.digest
        and look.host.running is False,
        ActionKind.ADMIT: look.pool.admin is Admin.MAINT and proven(look, target),
        ActionKind.READY: look.pool.admin in (Admin.DRAIN, Admin.MIXED)
        and proven(look, target)
        and look.pool.fresh is True,
    }[kind]


@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.ROLLING, Phase.ROLLING_BACK])
@pytest.mark.parametrize("admin", Admin)
def test_a_look_leads_to_the_one_action_that_it_justifies_and_to_no_other(
    phase: Phase, admin: Admin
) -> None:
    going = deployment(phase)
    target = wanted(going)
    for look in (look for look in EVERY_LOOK if look.pool.admin is admin):
        others = ON_NEW if target is NEW else ON_OLD
        actions = decide(view(going, a=look, b=others, c=others)).actions
        assert [action.node for action in actions] in ([], ["a"]), look
        assert all(action.target == target for action in actions)
        assert all(justified(action.kind, look, target) for action in actions), (look, actions)
        if look.host.digest is None or look.pool.admin is Admin.UNKNOWN:
            assert not actions, look
        elif not actions and look.pool.admin not in (Admin.READY, Admin.MIXED):
            due = [kind for kind in ActionKind if justified(kind, look, target)]
            # A proven app, whatever else the look says, only waits for READY.
            assert not due or proven(look, target), (look, due)


def test_a_look_never_leads_to_an_action_on_a_busy_node_except_maint() -> None:
    going = deployment()
    for look in EVERY_LOOK:
        seen = view(going, a=look, b=ON_NEW, c=ON_NEW)
        for kind in ActionKind:
            for action in decide(replace(seen, busy={"a": kind})).actions:
                assert action == Action(ActionKind.MAINT, "a", NEW)
                assert kind in OUT_OF_POOL
                assert look.pool.admin in (Admin.READY, Admin.MIXED)


def test_no_look_leads_to_an_action_in_a_deployment_that_has_ended() -> None:
    for phase in (each for each in Phase if each.is_outcome):
        ended = deployment(phase)
        for look in EVERY_LOOK[::7]:
            assert decide(view(ended, a=look, b=ON_NEW, c=ON_OLD)) == Decision(phase)


# --- preparing -----------------------------------------------------------------------------------

PREPARING = deployment(Phase.PREPARING, ())


def test_the_nodes_that_serve_are_in_scope_and_the_others_are_skipped() -> None:
    found = decide(view(PREPARING, a=ON_OLD, b=DOWN, c=ON_OLD))
    assert (found.phase, found.nodes, found.skipped) == (Phase.CANARY, ("a", "c"), ("b",))


def test_a_node_that_a_person_took_out_is_skipped() -> None:
    assert decide(view(PREPARING, a=ON_OLD, b=CLOSED, c=ON_OLD)).skipped == ("b",)


def test_too_few_healthy_nodes_are_left_alone() -> None:
    found = decide(view(PREPARING, a=ON_OLD, b=DOWN, c=DOWN))
    assert found.phase is Phase.ABORTED
    assert found.reason.startswith("1 of 3 nodes are up and 1 must stay up")


def test_a_very_first_release_goes_to_all_nodes_though_none_serves() -> None:
    empty = changed(DOWN, digest="")
    first = deployment(Phase.PREPARING, (), previous=None)
    found = decide(view(first, a=empty, b=empty))
    assert (found.phase, found.nodes, found.skipped) == (Phase.CANARY, ("a", "b"), ())


def test_a_failed_first_release_does_not_block_the_next() -> None:
    left = changed(STOPPED, digest="bad")
    first = deployment(Phase.PREPARING, (), previous=None)
    found = decide(view(first, a=left, b=changed(DOWN, digest="")))
    assert (found.phase, found.nodes) == (Phase.CANARY, ("a", "b"))


def test_a_rollback_requested_immediately_touches_nothing() -> None:
    asked = updated(PREPARING, command=Command.ROLLBACK)
    assert decide(view(asked, a=ON_OLD, b=ON_OLD)).phase is Phase.ABORTED


def test_an_unreadable_haproxy_is_awaited_and_then_given_up() -> None:
    looks: Given = {"a": BLIND, "b": BLIND}
    assert decide(view(PREPARING, waited_s=60.0, **looks)) == Decision(Phase.PREPARING)
    found = decide(view(PREPARING, waited_s=60.1, **looks))
    assert (found.phase, found.actions) == (Phase.ABORTED, ())


def test_a_server_unknown_to_haproxy_is_not_awaited_for_ever() -> None:
    later = view(PREPARING, waited_s=60.1, a=BLIND, b=ON_OLD)
    later = replace(
        later, progress={**later.progress, "b": replace(later.progress["b"], since_s=160.0)}
    )
    assert decide(later).phase is Phase.ABORTED


# --- canary and batches --------------------------------------------------------------------------


def test_the_canary_goes_first_and_alone() -> None:
    found = decide(
        view(
            deployment(Phase.CANARY),
            policy=replace(POLICY, batch=3, min_healthy=0),
            a=ON_OLD,
            b=ON_OLD,
            c=ON_OLD,
        )
    )
    assert (found.phase, kinds(found)) == (Phase.CANARY, {"a": ActionKind.MAINT})


def test_the_others_follow_when_the_canary_serves() -> None:
    assert decide(view(deployment(Phase.CANARY), a=ON_NEW, b=ON_OLD)).phase is Phase.ROLLING


def test_a_batch_is_removed_at_once_in_order() -> None:
    policy = replace(POLICY, batch=2)
    looks: Given = {"a": ON_NEW, "b": ON_OLD, "c": ON_OLD, "d": ON_OLD}
    found = decide(view(deployment(nodes=tuple(looks)), policy=policy, **looks))
    assert kinds(found) == {"b": ActionKind.MAINT, "c": ActionKind.MAINT}


@pytest.mark.parametrize(("min_healthy", "taken"), [(1, 2), (2, 1), (3, 0)])
def test_a_batch_never_takes_the_pool_below_min_healthy(min_healthy: int, taken: int) -> None:
    policy = replace(POLICY, batch=3, min_healthy=min_healthy)
    found = decide(view(deployment(), policy=policy, a=ON_NEW, b=ON_OLD, c=ON_OLD))
    assert len(found.actions) == taken


def test_a_skipped_node_that_serves_again_counts_for_min_healthy() -> None:
    policy = replace(POLICY, min_healthy=2)
    found = decide(view(deployment(nodes=("a", "b")), policy=policy, a=ON_NEW, b=ON_OLD, c=ON_OLD))
    assert kinds(found) == {"b": ActionKind.MAINT}


def test_a_node_that_is_up_only_for_haproxy_does_not_count_for_min_healthy() -> None:
    just_restarted = changed(DOWN, up=True)
    policy = replace(POLICY, min_healthy=2)
    found = decide(view(deployment(), policy=policy, a=ON_NEW, b=ON_OLD, c=just_restarted))
    assert kinds(found) == {"c": ActionKind.MAINT}


def test_no_node_is_removed_while_another_is_being_updated() -> None:
    assert kinds(decide(view(deployment(), a=STOPPED, b=ON_OLD, c=ON_OLD))) == {
        "a": ActionKind.SWAP
    }


def test_a_busy_node_neither_serves_nor_leaves_space_in_the_batch_whatever_it_looks_like() -> None:
    # HAProxy restarted and put it back in service; MAINT is being set again.
    busy = {"a": ActionKind.START}
    found = decide(view(deployment(), busy=busy, a=ON_NEW, b=ON_OLD, c=ON_OLD))
    assert kinds(found) == {"a": ActionKind.MAINT}
    policy = replace(POLICY, batch=2, min_healthy=2)
    found = decide(view(deployment(), policy=policy, busy=busy, a=ON_NEW, b=ON_OLD, c=ON_OLD))
    assert kinds(found) == {"a": ActionKind.MAINT}


def test_a_dead_node_is_updated_whatever_else_is_being_updated() -> None:
    found = decide(view(deployment(), a=STARTING, b=DOWN, c=ON_OLD))
    assert kinds(found) == {"b": ActionKind.MAINT}


def test_a_node_that_haproxy_finds_down_and_that_answers_waits_for_its_turn() -> None:
    flapping = changed(ON_OLD, up=False)
    assert not decide(view(deployment(), a=STARTING, b=flapping, c=ON_OLD)).actions
    found = decide(view(deployment(), a=ON_NEW, b=flapping, c=ON_OLD))
    assert kinds(found) == {"b": ActionKind.MAINT}


def test_sticky_users_leave_first_if_the_policy_says_so() -> None:
    policy = replace(POLICY, sessions=Sessions.WAIT, sessions_s=20.0)
    found = decide(view(deployment(), policy=policy, a=ON_OLD, b=ON_NEW, c=ON_NEW))
    assert kinds(found) == {"a": ActionKind.DRAIN}


def test_a_node_that_haproxy_enabled_during_its_update_is_disabled_again() -> None:
    opened = changed(STOPPED, admin=Admin.READY, up=True)
    found = decide(view(deployment(), busy={"a": ActionKind.START}, a=opened, b=ON_NEW, c=ON_NEW))
    assert kinds(found) == {"a": ActionKind.MAINT}


def test_it_has_succeeded_when_all_serve_and_no_action_runs() -> None:
    looks: Given = {"a": ON_NEW, "b": ON_NEW, "c": ON_NEW}
    assert decide(view(deployment(), **looks)).phase is Phase.SUCCEEDED
    assert decide(view(deployment(), busy={"c": ActionKind.READY}, **looks)).phase is Phase.ROLLING


def test_an_unreadable_haproxy_stops_everything_and_nothing_is_rolled_back() -> None:
    found = decide(view(deployment(), waited_s=599.0, a=BLIND, b=BLIND, c=BLIND))
    assert found == Decision(Phase.ROLLING)


def test_it_rolls_back_when_no_node_progresses() -> None:
    found = decide(view(deployment(), waited_s=600.1, a=CLOSED, b=ON_NEW, c=ON_OLD))
    assert (found.phase, found.blames_build) == (Phase.ROLLING_BACK, False)
    assert found.reason == "no node made any progress for 600 s: a is draining, c is pending"


def test_a_node_that_left_the_configuration_is_out_of_scope() -> None:
    assert decide(view(deployment(), a=ON_NEW, b=ON_NEW)).phase is Phase.SUCCEEDED
    assert kinds(decide(view(deployment(), b=STOPPED))) == {"b": ActionKind.SWAP}


@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.ROLLING, Phase.ROLLING_BACK])
def test_a_deployment_whose_nodes_all_left_the_configuration_fails(phase: Phase) -> None:
    assert decide(view(deployment(phase), d=ON_OLD)).phase is Phase.FAILED


# --- faults, each of which makes it roll back ----------------------------------------------------


def turned_back(seen: View) -> tuple[str, bool]:
    found = decide(seen)
    assert found.phase is Phase.ROLLING_BACK
    assert not found.actions
    return found.reason, found.blames_build


@pytest.mark.parametrize(
    ("look", "limit_s", "reason", "blames_build"),
    [
        (changed(DRAINED, digest=None), 60.0, "a: its state could not be read within 60 s", False),
        (DRAINED, 60.0, "a: Tomcat did not stop within 60 s", False),
        (STOPPED, 120.0, "a: the WAR was not swapped within 120 s", False),
        (
            STARTING,
            300.0,
            "a: the app did not answer with the expected release within 300 s",
            True,
        ),
        (CHECKING, 60.0, "a: HAProxy's check did not pass within 60 s", True),
    ],
)
def test_an_expired_deadline_is_a_fault(
    look: NodeLook, limit_s: float, reason: str, blames_build: bool
) -> None:
    others: Given = {"b": ON_NEW, "c": ON_OLD}
    assert (
        decide(view(deployment(), policy=STRICT, waited_s=limit_s, a=look, **others)).phase
        is Phase.ROLLING
    )
    seen = view(deployment(), policy=STRICT, waited_s=limit_s + 0.1, a=look, **others)
    assert turned_back(seen) == (reason, blames_build)


def test_a_busy_node_has_no_fault_yet() -> None:
    seen = view(
        deployment(),
        policy=STRICT,
        waited_s=61.0,
        busy={"a": ActionKind.STOP},
        a=DRAINED,
        b=ON_NEW,
        c=ON_OLD,
    )
    assert decide(seen).phase is Phase.ROLLING


def test_an_app_that_keeps_answering_wrongly_is_the_builds_fault() -> None:
    wrong = replace(STARTING, answer=replace(SAYS["500"], text="answers 500"))
    looks: Given = {"a": wrong, "b": ON_NEW, "c": ON_OLD}
    assert decide(view(deployment(), policy=STRICT, waited_s=15.0, **looks)).phase is Phase.ROLLING
    assert turned_back(view(deployment(), policy=STRICT, waited_s=15.1, **looks)) == (
        "a: the app does not answer with the expected release: answers 500",
        True,
    )


def test_an_action_that_fails_as_often_as_the_policy_allows_is_a_fault() -> None:
    looks: Given = {"a": STOPPED, "b": ON_NEW, "c": ON_OLD}
    once = view(deployment(), policy=STRICT, wait={"tries": 1, "failure": "no room"}, **looks)
    assert kinds(decide(once)) == {"a": ActionKind.SWAP}
    twice = view(deployment(), policy=STRICT, wait={"tries": 2, "failure": "no room"}, **looks)
    assert turned_back(twice) == ("a: swapping failed 2 times: no room", False)


def test_a_tomcat_that_does_not_stay_up_is_the_builds_fault() -> None:
    looks: Given = {"a": SWAPPED, "b": ON_NEW, "c": ON_OLD}
    resting = view(
        deployment(), policy=STRICT, waited_s=4.9, wait={"tries": 2, "tried_at_s": 100.0}, **looks
    )
    assert decide(resting) == Decision(Phase.ROLLING)
    rested = view(
        deployment(), policy=STRICT, waited_s=5.0, wait={"tries": 2, "tried_at_s": 100.0}, **looks
    )
    assert turned_back(rested)[1] is True


@pytest.mark.parametrize("look", [SWAPPED, CHECKING, changed(DOWN, digest="new")])
def test_a_tomcat_that_repeatedly_ends_after_it_was_up_is_the_builds_fault(
    look: NodeLook,
) -> None:
    seen = view(deployment(), policy=STRICT, wait={"deaths": 2}, a=look, b=ON_NEW, c=ON_OLD)
    assert turned_back(seen) == (
        "a: Tomcat exited by itself 2 times after the app was up; see its catalina.out",
        True,
    )


def test_a_node_that_serves_after_all_has_no_fault() -> None:
    seen = view(deployment(), policy=STRICT, wait={"deaths": 9}, a=ON_NEW, b=ON_OLD, c=ON_OLD)
    assert decide(seen).phase is Phase.ROLLING


def test_a_requested_rollback_is_done_and_the_build_is_bad() -> None:
    asked = deployment(command=Command.ROLLBACK)
    assert turned_back(view(asked, policy=STRICT, a=ON_NEW, b=ON_NEW, c=ON_NEW)) == (
        "a person asked for the rollback",
        True,
    )


def test_a_first_release_that_fails_has_no_rollback_target() -> None:
    first = deployment(previous=None)
    found = decide(view(first, waited_s=301.0, a=STARTING))
    assert found.phase is Phase.FAILED
    assert found.reason.endswith("; there is no earlier release to roll back to")


# --- requests in flight --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "waited_s", "due"),
    [
        (OnDrainDeadline.GO_ON, 29.9, None),
        (OnDrainDeadline.GO_ON, 30.0, ActionKind.STOP),
        (OnDrainDeadline.CUT, 29.9, None),
        (OnDrainDeadline.CUT, 30.0, ActionKind.CUT),
        (OnDrainDeadline.ABORT, 29.9, None),
    ],
)
def test_requests_in_flight_have_their_deadline(
    policy: OnDrainDeadline, waited_s: float, due: ActionKind | None
) -> None:
    seen = view(
        deployment(),
        policy=replace(POLICY, on_drain_deadline=policy),
        waited_s=waited_s,
        a=CLOSED,
        b=ON_NEW,
        c=ON_NEW,
    )
    assert kinds(decide(seen)) == ({"a": due} if due else {})


def test_requests_that_were_cut_are_not_awaited_again() -> None:
    seen = view(
        deployment(),
        policy=replace(POLICY, on_drain_deadline=OnDrainDeadline.CUT),
        waited_s=31.0,
        wait={"tries": 1},
        a=CLOSED,
        b=ON_NEW,
        c=ON_NEW,
    )
    assert kinds(decide(seen)) == {"a": ActionKind.STOP}


@pytest.mark.parametrize(
    ("look", "policy", "wait", "due"),
    [
        (DRAINED, OnDrainDeadline.GO_ON, {}, ActionKind.STOP),
        (DRAINED, OnDrainDeadline.GO_ON, {"tries": 1}, None),
        (DRAINED, OnDrainDeadline.GO_ON, {"tries": 1, "failure": "ended with 1"}, ActionKind.STOP),
        (CLOSED, OnDrainDeadline.GO_ON, {"tries": 1}, None),
        (CLOSED, OnDrainDeadline.CUT, {"tries": 2}, None),
        (CLOSED, OnDrainDeadline.CUT, {"tries": 2, "failure": "no"}, ActionKind.STOP),
    ],
)
def test_a_tomcat_that_is_stopping_is_not_stopped_again(
    look: NodeLook, policy: OnDrainDeadline, wait: dict[str, object], due: ActionKind | None
) -> None:
    seen = view(
        deployment(),
        policy=replace(POLICY, on_drain_deadline=policy, tries=5),
        waited_s=31.0,
        wait=wait,
        a=look,
        b=ON_NEW,
        c=ON_NEW,
    )
    assert kinds(decide(seen)) == ({"a": due} if due else {})


def test_the_abort_policy_rolls_back_when_requests_do_not_end() -> None:
    policy = replace(POLICY, on_drain_deadline=OnDrainDeadline.ABORT)
    seen = view(deployment(), policy=policy, waited_s=30.1, a=CLOSED, b=ON_NEW, c=ON_OLD)
    assert turned_back(seen) == ("a: its requests did not finish within 30 s", False)


def test_there_is_nothing_to_abort_during_a_rollback() -> None:
    policy = replace(POLICY, on_drain_deadline=OnDrainDeadline.ABORT)
    hung = changed(CLOSED, digest="new", answer=Answer())
    back = deployment(Phase.ROLLING_BACK)
    seen = view(back, policy=policy, waited_s=30.1, a=hung, b=ON_OLD, c=ON_OLD)
    assert kinds(decide(seen)) == {"a": ActionKind.STOP}


@pytest.mark.parametrize(
    ("look", "waited_s", "due"),
    [
        (changed(CLOSED, admin=Admin.DRAIN), 19.9, None),
        (changed(CLOSED, admin=Admin.DRAIN), 20.0, ActionKind.MAINT),
        (changed(CLOSED, admin=Admin.DRAIN, versions=(Version("", sessions=1),)), 19.9, None),
        (changed(CLOSED, admin=Admin.DRAIN, versions=(Version(""),)), 19.9, None),
        (changed(CLOSED, admin=Admin.DRAIN, versions=(Version(""),)), 20.0, ActionKind.MAINT),
        (changed(DRAINED, admin=Admin.DRAIN, versions=(Version(""),)), 0.0, ActionKind.MAINT),
    ],
)
def test_sticky_users_and_their_requests_have_their_deadline(
    look: NodeLook, waited_s: float, due: ActionKind | None
) -> None:
    policy = replace(POLICY, sessions=Sessions.WAIT, sessions_s=20.0)
    seen = view(deployment(), policy=policy, waited_s=waited_s, a=look, b=ON_NEW, c=ON_NEW)
    assert kinds(decide(seen)) == ({"a": due} if due else {})


# --- start and check -----------------------------------------------------------------------------


@pytest.mark.parametrize(("waited_s", "due"), [(4.9, None), (5.0, ActionKind.START)])
def test_a_tomcat_that_died_at_its_start_is_restarted_after_a_pause(
    waited_s: float, due: ActionKind | None
) -> None:
    wait = {"tries": 1, "tried_at_s": 100.0}
    seen = view(deployment(), waited_s=waited_s, wait=wait, a=SWAPPED, b=ON_NEW, c=ON_NEW)
    assert kinds(decide(seen)) == ({"a": due} if due else {})


@pytest.mark.parametrize(
    ("fresh", "waited_s", "due"),
    [
        (False, 50.0, None),
        (True, 0.0, ActionKind.READY),
        (None, 4.9, None),
        (None, 5.0, ActionKind.READY),
    ],
)
def test_a_node_comes_back_on_a_fresh_check_or_without_checks_after_a_pause(
    fresh: bool | None, waited_s: float, due: ActionKind | None
) -> None:
    checking = changed(CHECKING, fresh=fresh)
    seen = view(deployment(), waited_s=waited_s, a=checking, b=ON_NEW, c=ON_NEW)
    assert kinds(decide(seen)) == ({"a": due} if due else {})


# --- rolling back --------------------------------------------------------------------------------

BACK = deployment(Phase.ROLLING_BACK)


@pytest.mark.parametrize(
    ("look", "due"),
    [
        (ON_OLD, None),
        (ON_NEW, ActionKind.MAINT),
        (CLOSED, ActionKind.ADMIT),
        (DRAINED, ActionKind.ADMIT),
        (STOPPED, ActionKind.START),
        (SWAPPED, ActionKind.SWAP),
        (STARTING, ActionKind.STOP),
        (UP, ActionKind.STOP),
        (CHECKING, ActionKind.MAINT),
    ],
)
def test_a_node_is_rolled_back_from_every_phase(look: NodeLook, due: ActionKind | None) -> None:
    assert kinds(decide(view(BACK, a=look, b=ON_OLD, c=ON_OLD))) == ({"a": due} if due else {})


def test_nodes_are_rolled_back_one_at_a_time_whatever_the_batch() -> None:
    policy = replace(POLICY, batch=3, min_healthy=0)
    found = decide(view(BACK, policy=policy, a=ON_NEW, b=ON_NEW, c=ON_NEW))
    assert kinds(found) == {"c": ActionKind.MAINT}


def test_it_is_rolled_back_when_all_serve_the_previous_release() -> None:
    looks: Given = {"a": ON_OLD, "b": ON_OLD, "c": ON_OLD}
    assert decide(view(BACK, **looks)).phase is Phase.ROLLED_BACK
    assert decide(view(BACK, busy={"b": ActionKind.READY}, **looks)).phase is Phase.ROLLING_BACK


def test_a_node_that_cannot_be_rolled_back_is_left_while_the_others_continue() -> None:
    lost = {"tries": 2, "failure": "no room"}
    found = decide(view(BACK, wait=lost, a=SWAPPED, b=ON_NEW, c=ON_OLD))
    assert (found.phase, kinds(found)) == (Phase.ROLLING_BACK, {"b": ActionKind.MAINT})


def test_a_node_that_could_not_be_rolled_back_is_named_at_the_end() -> None:
    found = decide(view(BACK, wait={"tries": 2, "failure": "no room"}, a=SWAPPED, b=ON_OLD))
    assert found.phase is Phase.FAILED
    assert found.reason == "could not be rolled back: a: swapping failed 2 times: no room"


def test_a_rollback_without_progress_ends_and_names_the_remaining_nodes() -> None:
    blind = changed(STOPPED, admin=Admin.UNKNOWN)
    found = decide(view(BACK, waited_s=600.1, a=blind, b=ON_OLD, c=ON_NEW))
    assert (found.phase, found.actions) == (Phase.FAILED, ())
    assert found.reason.endswith("for 600 s: a is unknown, c is pending")


def test_a_rollback_does_not_wait_for_users() -> None:
    policy = replace(POLICY, sessions=Sessions.WAIT, sessions_s=20.0)
    found = decide(view(BACK, policy=policy, a=ON_NEW, b=ON_OLD, c=ON_OLD))
    assert kinds(found) == {"a": ActionKind.MAINT}
