"""Which release is the candidate, how a release is named, and how many nodes a share is."""

from dataclasses import replace

import pytest

from bigred_broker.messages import AppState, encode
from bigred_server.model.release import Change, Release, Stage, candidate
from bigred_server.rollout.core.policy import share

LIVE, READY, BAD, RETIRED = Stage.LIVE, Stage.READY, Stage.BAD, Stage.RETIRED


def release(at: float, stage: Stage) -> Release:
    return Release("shop", f"{int(at):064}", f"1.{at:g}", f"1.{at:g}", stage, at)


@pytest.mark.parametrize(
    ("stages", "chosen"),
    [
        ([], None),
        ([READY], 1),
        ([READY, READY], 2),
        ([LIVE, READY], 2),
        ([READY, LIVE], None),
        ([LIVE, READY, READY], 3),
        ([LIVE, READY, BAD], 2),
        ([READY, LIVE, BAD], None),
        ([RETIRED, LIVE], None),
        ([LIVE], None),
        ([BAD], None),
        ([LIVE, Stage.FAILED, Stage.SUBMITTED, Stage.BUILDING, Stage.TESTING], None),
        ([LIVE, READY, RETIRED], 2),
    ],
)
def test_the_candidate_is_the_newest_ready_release_that_is_newer_than_the_live_one(
    stages: list[Stage], chosen: int | None
) -> None:
    known = [release(float(at), stage) for at, stage in enumerate(stages, 1)]
    for order in (known, known[::-1]):
        found = candidate(order)
        assert (found.submitted_at if found else None) == chosen


def test_however_long_its_message_a_release_can_be_announced() -> None:
    long = Release(
        "shop", "a" * 64, "v" * 500, "", READY, 1.0, author="a" * 5000, message="ü" * 5000
    )
    note = long.note()
    assert (len(note.author), len(note.message)) == (500, 500)
    assert encode(AppState(app="shop", release=note, live=note, candidate=note))


def change(commit: str) -> Change:
    return Change(commit, "ä" * 500, "ü" * 5000)


def test_a_candidates_changes_are_those_that_the_live_release_lacks() -> None:
    live = replace(release(1, LIVE), commit="b", changes=(change("b"), change("a")))
    same = replace(release(2, READY), commit="c", changes=(change("c"), change("b"), change("a")))
    assert [one.commit for one in same.since(live)] == ["c"]
    assert [one.commit for one in same.since(None)] == ["c", "b", "a"]
    assert same.note(live).changed == 1
    assert same.note().changes == ()


def test_however_many_its_changes_a_candidate_can_be_announced() -> None:
    many = replace(release(2, READY), changes=tuple(change(f"{n:040}") for n in range(1000)))
    note = many.note(release(1, LIVE))
    assert (note.changed, len(note.changes)) == (1000, 10)
    assert encode(AppState(app="shop", candidate=note))


@pytest.mark.parametrize(
    ("text", "nodes", "healthy"),
    [
        (None, 1, 0),
        (None, 2, 1),
        (None, 4, 3),
        (None, 5, 4),
        (None, 8, 6),
        (None, 10, 8),
        (0, 3, 0),
        (2, 3, 2),
        ("0%", 3, 0),
        ("50%", 3, 2),
        ("66%", 3, 2),
        ("67%", 4, 3),
        ("1%", 3, 1),
    ],
)
def test_a_share_is_a_number_of_nodes_rounded_up(
    text: int | str | None, nodes: int, healthy: int
) -> None:
    assert share(text, nodes) == healthy


@pytest.mark.parametrize("text", [3, 4, -1, "100%", "67%", "x", "50", "%", "-5%", "5.5%", "½%"])
def test_a_share_that_is_invalid_or_leaves_no_node_to_update_is_refused(text: int | str) -> None:
    with pytest.raises(ValueError, match=r"leaves none that may be updated|is neither"):
        share(text, 3)


def test_the_default_share_always_leaves_a_node_to_update() -> None:
    assert all(0 <= share(None, nodes) < nodes for nodes in range(1, 200))
