"""An app's state, as lights, speech and terminal receive it."""

from dataclasses import replace

import pytest
from tests.support.looks import changed, node_look

from bigred_broker.messages import AppEventType, NodeState, Phase
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Change, Release, Stage
from bigred_server.model.timestamp import utc
from bigred_server.rollout.core.observation import Admin, Answer, NodeLook
from bigred_server.rollout.core.phase_text import phase_text
from bigred_server.rollout.core.target import Target
from bigred_server.rollout.loop.app_state import app_state, changes

OLD, NEW = "0" * 64, "1" * 64
RELEASES = [
    Release("shop", OLD, "1.0.0", "1.0.0", Stage.LIVE, 1.0),
    Release("shop", NEW, "1.1.0", "1.1.0", Stage.READY, 2.0, author="Ada"),
]
GOAL = Target(NEW, "1.1.0")
ROLLING = DeploymentRecord(
    "d-1", "shop", NEW, OLD, "office", 0.0, phase=Phase.ROLLING, nodes=("a", "b"), skipped=("c",)
)
UP_OLD = node_look("a", Admin.READY, True, True, 0, OLD, True, Answer(True, True, "1.0.0"))
UP_NEW = changed(UP_OLD, digest=NEW, answer=Answer(True, True, "1.1.0"))
CLOSED = changed(UP_OLD, admin=Admin.MAINT, up=False)
STOPPED = changed(CLOSED, running=False, answer=Answer())
STARTING = changed(STOPPED, digest=NEW, running=True)


def test_before_any_deployment_an_app_has_its_nodes_its_live_release_and_a_candidate() -> None:
    state = app_state("shop", None, RELEASES, {"a": UP_OLD}, None)
    assert (state.phase, state.deployment, state.progress, state.who) == (None, None, None, "")
    assert state.live is not None
    assert state.candidate is not None
    assert (state.live.version, state.candidate.version) == ("1.0.0", "1.1.0")
    assert [(n.name, n.state, n.release) for n in state.nodes] == [
        ("a", NodeState.SERVING, "1.0.0")
    ]


def test_a_running_deployment_is_shown_with_its_progress_and_no_candidate() -> None:
    looks = {"a": UP_NEW, "b": UP_OLD, "c": UP_OLD}
    state = app_state("shop", ROLLING, RELEASES, looks, GOAL)
    assert state.progress is not None
    assert (state.progress.done, state.progress.total) == (1, 2)
    assert state.release is not None
    assert (state.phase, state.release.version, state.who) == (Phase.ROLLING, "1.1.0", "office")
    assert state.candidate is None
    assert [node.state for node in state.nodes] == [
        NodeState.SERVING,
        NodeState.SERVING,
        NodeState.SKIPPED,
    ]


@pytest.mark.parametrize(
    ("look", "running", "between"),
    [
        (UP_OLD, NodeState.SERVING, NodeState.SERVING),
        (UP_NEW, NodeState.SERVING, NodeState.SERVING),
        (changed(UP_OLD, up=False), NodeState.DOWN, NodeState.DOWN),
        (changed(UP_OLD, admin=Admin.DRAIN), NodeState.DRAINING, NodeState.DRAINING),
        (changed(CLOSED, in_flight=1), NodeState.DRAINING, NodeState.MAINT),
        (CLOSED, NodeState.STOPPING, NodeState.MAINT),
        (STOPPED, NodeState.SWAPPING, NodeState.MAINT),
        (STARTING, NodeState.STARTING, NodeState.MAINT),
        (changed(UP_NEW, admin=Admin.MAINT), NodeState.CHECKING, NodeState.MAINT),
        (changed(UP_NEW, admin=Admin.DRAIN), NodeState.CHECKING, NodeState.DRAINING),
        (changed(UP_NEW, up=False), NodeState.CHECKING, NodeState.DOWN),
        (NodeLook("a"), NodeState.UNKNOWN, NodeState.UNKNOWN),
    ],
)
def test_a_node_is_described_in_one_word(
    look: NodeLook, running: NodeState, between: NodeState
) -> None:
    state = app_state("shop", ROLLING, RELEASES, {"a": look}, GOAL)
    assert state.nodes[0].state is running
    ended = replace(ROLLING, phase=Phase.SUCCEEDED, ended_at=9.0)
    for record in (None, ended):
        state = app_state("shop", record, RELEASES, {"a": look}, GOAL)
        assert state.nodes[0].state is between


def test_an_unsubmitted_war_is_named_by_its_digest() -> None:
    foreign = changed(UP_OLD, digest="f" * 64)
    assert app_state("shop", None, RELEASES, {"a": foreign}, None).nodes[0].release == "f" * 12
    none = changed(UP_OLD, digest="")
    assert app_state("shop", None, RELEASES, {"a": none}, None).nodes[0].release == ""


def test_an_ended_deployment_is_shown_with_its_outcome_and_reason() -> None:
    ended = replace(ROLLING, phase=Phase.FAILED, ended_at=60.0, reason="x" * 1000)
    state = app_state("shop", ended, RELEASES, {}, GOAL)
    assert state.since == "1970-01-01T00:01:00.000+00:00"
    assert len(state.reason) == 500
    assert state.candidate is not None


def test_a_release_missing_from_the_journal_does_not_crash() -> None:
    assert app_state("shop", ROLLING, [], {"a": UP_NEW}, GOAL).release is None


def test_the_first_state_is_not_an_event() -> None:
    state = app_state("shop", None, RELEASES, {"a": UP_OLD}, None)
    assert changes(None, state, 0.0) == []
    assert changes(state, state, 0.0) == []


def test_a_new_candidate_and_a_changed_node_are_events() -> None:
    before = app_state("shop", None, RELEASES[:1], {"a": UP_OLD}, None)
    after = app_state("shop", None, RELEASES, {"a": CLOSED, "b": UP_OLD}, None)
    news = changes(before, after, 0.0)
    assert [(n.event_type, n.node, n.text) for n in news] == [
        (AppEventType.CANDIDATE, None, "1.1.0 by Ada is ready to be deployed"),
        (AppEventType.NODE, "a", "maint"),
    ]


@pytest.mark.parametrize(
    ("authors", "says"),
    [
        ([], "is ready to be deployed"),
        (["Ada"], "is ready to be deployed, with 1 change by Ada: change 0 (Ada)"),
        (["Ada", "Linus", "Ada"], "with 3 changes by Ada and Linus: change 0 (Ada); change 1 (Li"),
        (["A", "B", "C", "D"] * 3, "with 12 changes by A, B, C and others: "),
        (["Ada"] * 7, "; and 2 more"),
    ],
)
def test_a_new_candidate_is_announced_with_its_changes(authors: list[str], says: str) -> None:
    made = tuple(Change(f"c{n}", author, f"change {n}") for n, author in enumerate(authors))
    known = [RELEASES[0], replace(RELEASES[1], changes=made)]
    before = app_state("shop", None, known[:1], {}, None)
    (news,) = changes(before, app_state("shop", None, known, {}, None), 0.0)
    assert says in news.text


def test_every_phase_has_its_sentence() -> None:
    for phase in Phase:
        assert "1.1.0" in phase_text(phase, "1.1.0", 3, "")
    assert phase_text(Phase.FAILED, "1.1.0", 3, "why") == "1.1.0 failed: why"


def test_times_are_in_utc() -> None:
    assert utc(0.5) == "1970-01-01T00:00:00.500+00:00"
