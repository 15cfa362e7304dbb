"""The candidate follows the head of the branch, also when the branch goes back."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bigred_server.errors import BuildError
from bigred_server.journal import builds, releases
from bigred_server.journal.database import Database
from bigred_server.model.pushed_commit import PushedCommit
from bigred_server.model.release import Release, Stage, candidate
from bigred_server.pipeline.known_release import as_newest
from bigred_server.pipeline.submissions import submit_commits
from bigred_server.settings import AppSettings

A, B, C = "a" * 40, "b" * 40, "c" * 40


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "bigred.db")
    yield database
    await database.close()


def app() -> AppSettings:
    node = {"url": "http://127.0.0.1:1", "stop": ["x"], "start": ["x"], "running": ["x"]}
    return AppSettings.model_validate(
        {
            "haproxy": {"socket": "/none", "backend": "shop"},
            "marker": {"path": "/"},
            "nodes": {"node1": {**node, "war": "/srv/shop.war"}},
            "build": {"repository": "/none", "command": ["x"], "artifact": "x"},
        }
    )


async def pushed(db: Database, *commits: str, branch: str = "main") -> str:
    """Submit commits of one push; return the message."""
    given = [PushedCommit(branch, commit, "ada") for commit in commits]
    return (await submit_commits(db, "shop", app(), given))[1]


async def built(db: Database, stage: Stage = Stage.READY) -> None:
    """End all builds at a stage."""
    async with db.write() as connection:
        for one in await builds.of_app(connection, "shop", [Stage.SUBMITTED]):
            await builds.change(connection, one.id, stage=stage)


async def order(db: Database) -> str:
    """Return the commits of all builds, oldest first, each by its letter."""
    async with db.read() as connection:
        known = await builds.of_app(connection, "shop")
    return "".join(one.commit[0] for one in reversed(known))


@pytest.mark.parametrize("stage", [Stage.SUBMITTED, Stage.BUILDING, Stage.TESTING, Stage.READY])
async def test_a_commit_that_the_branch_goes_back_to_is_submitted_again(
    db: Database, stage: Stage
) -> None:
    for commit in (A, B):
        await pushed(db, commit)
        await built(db, stage)
    assert "submitted as shop build 3" in await pushed(db, A)
    assert await order(db) == "aba"


async def test_submitting_the_head_again_changes_nothing(db: Database) -> None:
    for commit in (A, A, B, B):
        await pushed(db, commit)
    await built(db)
    assert "was already submitted as shop build 2 (ready)" in await pushed(db, B)
    assert await order(db) == "ab"


async def test_pushes_that_are_submitted_again_together_change_nothing(db: Database) -> None:
    # A server may accept them without the hook seeing its answer.
    await pushed(db, A, B, C)
    assert "was already submitted as shop build 3" in await pushed(db, A, B, C)
    assert await order(db) == "abc"


async def test_a_push_to_another_branch_is_no_head(db: Database) -> None:
    await pushed(db, A)
    await pushed(db, B)
    assert "ignored: feature" in await pushed(db, A, branch="feature")
    assert await order(db) == "ab"


def release(commit: str, at: float, stage: Stage) -> Release:
    return Release("shop", commit[0] * 64, f"1.{commit[0]}", "", stage, at, commit=commit)


@pytest.mark.parametrize(
    ("a", "b", "chosen"),
    [
        (Stage.READY, Stage.READY, A),
        # A was live before B: to go back is a deployment like any other.
        (Stage.RETIRED, Stage.LIVE, A),
        # The head is live: what came in between is not the next one.
        (Stage.LIVE, Stage.READY, None),
        # Tested, but nobody has promoted it yet.
        (Stage.TESTED, Stage.READY, B),
    ],
)
async def test_the_head_of_the_branch_is_the_candidate(
    db: Database, a: Stage, b: Stage, chosen: str | None
) -> None:
    first, second = release(A, 1.0, a), release(B, 2.0, b)
    async with db.write() as connection:
        for one in (first, second):
            await releases.add(connection, one)
        await releases.renew(connection, as_newest(first, 3.0))
        known = await releases.of_app(connection, "shop")
    assert known[0].commit == A
    found = candidate(known)
    assert (found.commit if found else None) == chosen
    assert replace(known[0], stage=a, submitted_at=1.0) == first


@pytest.mark.parametrize(
    ("stage", "why"),
    [(Stage.BAD, "bigred release clear 1.a"), (Stage.FAILED, "was rejected")],
)
def test_what_people_decided_against_does_not_come_back_by_a_push(stage: Stage, why: str) -> None:
    with pytest.raises(BuildError, match=why):
        as_newest(release(A, 1.0, stage), 3.0)
