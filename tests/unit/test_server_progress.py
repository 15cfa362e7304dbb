"""The clocks: how long a node is in a phase, what was tried there, and what counts as progress."""

from dataclasses import replace

from tests.support.looks import changed, node_look

from bigred_server.rollout.core.node_phase import NodePhase
from bigred_server.rollout.core.observation import Admin, Answer, NodeLook
from bigred_server.rollout.core.progress import NodeProgress, last_progress_s, track, tried
from bigred_server.rollout.core.target import Target

NEW = Target("new", "2")
OLD = Target("old", "1")
SAYS_NEW = Answer(came=True, ok=True, marker="2")
SAYS_OLD = Answer(came=True, ok=True, marker="1")

OPEN = node_look("a", Admin.READY, True, True, 3, "old", True, SAYS_OLD)
IN_DRAIN = changed(OPEN, admin=Admin.DRAIN, up=False)
CLOSED = changed(OPEN, admin=Admin.MAINT, up=False)
STARTING = node_look("a", Admin.MAINT, digest="new", running=True)
DEAD = changed(STARTING, running=False)
UP = replace(STARTING, answer=SAYS_NEW)


def seen(*looks: tuple[float, NodeLook], target: Target = NEW) -> NodeProgress:
    """Track one node through looks, each with its time."""
    progress: dict[str, NodeProgress] = {}
    for at_s, look in looks:
        progress = track(progress, {"a": look}, target, at_s)
    return progress["a"]


def test_the_clock_of_a_phase_runs_from_the_first_look_that_saw_it() -> None:
    wait = seen((1.0, OPEN), (2.0, OPEN), (3.0, CLOSED), (4.0, CLOSED))
    assert (wait.phase, wait.since_s) == (NodePhase.DRAINING, 3.0)


def test_requests_have_their_drain_time_from_maint_on() -> None:
    wait = seen((1.0, OPEN), (2.0, IN_DRAIN), (90.0, IN_DRAIN), (91.0, CLOSED))
    assert wait.since_s == 91.0


def test_a_rollback_begins_with_its_own_clocks_and_tries() -> None:
    unreadable = changed(CLOSED, digest=None)
    progress = track({}, {"a": unreadable}, NEW, 1.0)
    progress = tried(progress, "a", progress["a"], 2.0, "the disk is full")
    wait = track(progress, {"a": unreadable}, OLD, 50.0)["a"]
    assert wait.phase is NodePhase.UNKNOWN
    assert (wait.since_s, wait.tries, wait.failure) == (50.0, 0, "")


def test_an_action_that_changed_nothing_counts_as_a_try() -> None:
    progress = track({}, {"a": OPEN}, NEW, 1.0)
    wait = tried(progress, "a", progress["a"], 2.0, "refused")["a"]
    assert (wait.tries, wait.tried_at_s, wait.failure) == (1, 2.0, "refused")


def test_an_action_that_advanced_the_node_is_no_try_in_its_next_phase() -> None:
    before = track({}, {"a": OPEN}, NEW, 1.0)
    after = track(before, {"a": CLOSED}, NEW, 2.0)
    assert tried(after, "a", before["a"], 3.0, "")["a"].tries == 0


def test_maint_for_a_drained_node_is_no_try_of_cutting_it() -> None:
    before = track({}, {"a": IN_DRAIN}, NEW, 1.0)
    after = track(before, {"a": CLOSED}, NEW, 2.0)
    assert tried(after, "a", before["a"], 3.0, "")["a"].tries == 0


def test_an_action_of_a_rollout_is_no_try_of_a_rollback() -> None:
    unreadable = changed(CLOSED, digest=None)
    before = track({}, {"a": unreadable}, NEW, 1.0)
    after = track(before, {"a": unreadable}, OLD, 1.0)
    assert tried(after, "a", before["a"], 3.0, "")["a"].tries == 0


def test_a_wrong_answer_is_timed_from_its_first_look_even_if_the_clock_shows_zero() -> None:
    wrong = replace(STARTING, answer=SAYS_OLD)
    assert seen((0.0, wrong), (5.0, wrong)).wrong_since_s == 0.0


def test_a_wrong_answer_is_forgotten_when_there_is_none_or_the_right_one() -> None:
    wrong = replace(STARTING, answer=SAYS_OLD)
    assert seen((1.0, wrong), (2.0, STARTING)).wrong_since_s is None
    assert seen((1.0, wrong), (2.0, UP)).wrong_since_s is None


def test_an_app_that_falls_silent_is_timed_like_one_that_answers_wrongly() -> None:
    hangs = replace(UP, answer=Answer())
    assert seen((1.0, UP), (2.0, hangs), (9.0, hangs)).wrong_since_s == 2.0
    assert seen((1.0, UP), (2.0, hangs), (3.0, UP)).wrong_since_s is None
    # It ended and is started again, so it gets its time to start.
    ended = changed(hangs, running=False)
    assert seen((1.0, UP), (2.0, ended), (3.0, hangs)).wrong_since_s is None
    # Whether Tomcat runs is unknown: that is a problem of the machine.
    unknown = changed(hangs, running=None)
    assert seen((1.0, UP), (2.0, unknown)).wrong_since_s is None


def test_the_old_release_answers_as_it_should_before_it_is_replaced() -> None:
    assert seen((1.0, CLOSED)).wrong_since_s is None


def test_each_end_of_a_tomcat_whose_app_had_answered_is_counted() -> None:
    wait = seen((1.0, UP), (2.0, DEAD), (3.0, DEAD), (4.0, STARTING), (5.0, UP), (6.0, DEAD))
    assert wait.deaths == 2


def test_a_tomcat_that_never_answered_did_not_die() -> None:
    assert seen((1.0, STARTING), (2.0, DEAD)).deaths == 0


def test_a_lost_answer_is_not_a_death() -> None:
    assert seen((1.0, UP), (2.0, STARTING), (3.0, UP)).deaths == 0


def test_going_in_circles_is_no_progress() -> None:
    round_again = [(2.0, DEAD), (3.0, STARTING), (4.0, UP)]
    wait = seen((0.0, STARTING), (1.0, UP), *round_again)
    assert (wait.furthest, wait.furthest_at_s) == (NodePhase.ADMITTING, 1.0)


def test_progress_is_that_of_the_nodes_in_scope() -> None:
    progress = track({}, {"a": OPEN, "b": OPEN}, NEW, 1.0)
    progress = track(progress, {"a": OPEN, "b": CLOSED}, NEW, 9.0)
    assert last_progress_s(progress, ["a"]) == 1.0
    assert last_progress_s(progress, ["a", "b"]) == 9.0
