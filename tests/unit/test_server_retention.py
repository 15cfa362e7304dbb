"""What is kept and what is deleted: releases in use and the newest are kept."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bigred_broker.messages import Phase
from bigred_server.artifacts.retention import Retention, removable, wanted
from bigred_server.artifacts.store import Kept, Store
from bigred_server.errors import ReleaseError
from bigred_server.journal import deployments, releases
from bigred_server.journal.database import Database
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.last_good import last_good
from bigred_server.model.release import Release, Stage

DEADLINE_S = 10.0

BAD, LIVE, READY, RETIRED = Stage.BAD, Stage.LIVE, Stage.READY, Stage.RETIRED


def release(digest: str, stage: Stage, at: float, app: str = "shop") -> Release:
    return Release(app, digest, f"v-{digest}", "", stage, at)


def known(**stages: Stage) -> list[Release]:
    """Releases named by letters, in the order in which they were submitted."""
    return [release(name, stage, at) for at, (name, stage) in enumerate(stages.items())]


def record(digest: str, previous: str | None = None, **more: object) -> DeploymentRecord:
    done = DeploymentRecord(
        "d-1", "shop", digest, previous, "ada", 1.0, phase=Phase.SUCCEEDED, ended_at=2.0
    )
    return replace(done, **more)  # type: ignore[arg-type]


def running(digest: str, previous: str | None = None, **more: object) -> DeploymentRecord:
    return record(digest, previous, phase=Phase.ROLLING, ended_at=None, **more)


FOUR = known(a=RETIRED, b=RETIRED, c=RETIRED, d=LIVE)


@pytest.mark.parametrize(
    ("releases", "history", "found"),
    [
        (FOUR, [record("d", "a")], "a"),
        (FOUR, [record("d", "b"), record("d", "a")], "b"),
        (FOUR, [record("c", "b"), record("d", "a")], "a"),
        (FOUR, [], "c"),
        (FOUR, [record("d", "a", phase=Phase.ROLLED_BACK)], "c"),
        (FOUR, [record("d", "gone")], "c"),
        (FOUR, [record("d", None)], "c"),
        (known(a=RETIRED, b=BAD, d=LIVE), [record("d", "b")], "a"),
        (known(a=BAD, d=LIVE), [record("d", "a")], None),
        # Cleared: it was live before and is good again. What never was live is no rollback target.
        (known(a=READY, d=LIVE), [record("d", "a")], "a"),
        (known(a=READY, d=LIVE), [], None),
        (known(a=RETIRED, b=READY), [], None),
        ([], [], None),
    ],
)
def test_a_rollback_goes_back_to_what_was_live_before_unless_it_is_bad(
    releases: list[Release], history: list[DeploymentRecord], found: str | None
) -> None:
    good = last_good(releases, history)
    assert (good.digest if good else None) == found


MANY = known(a=RETIRED, b=RETIRED, c=BAD, d=RETIRED, e=LIVE, f=READY, g=READY)


@pytest.mark.parametrize(
    ("releases", "history", "keep", "kept"),
    [
        # Live e, candidate g, rollback target d; besides them the newest.
        (MANY, [], 0, "deg"),
        (MANY, [], 1, "defg"),
        (MANY, [], 2, "cdefg"),
        (MANY, [], 9, "abcdefg"),
        # The rollback target is older than the others that are kept.
        (MANY, [record("e", "a")], 1, "aefg"),
        (MANY, [record("e", "a"), record("a", "b")], 0, "aeg"),
        # A running deployment needs its release, the one before, and the one that it rolls back.
        (MANY, [running("b")], 0, "bdeg"),
        (MANY, [running("f", "b")], 0, "bdefg"),
        (MANY, [running("d", "e", takes_back="c")], 0, "cdeg"),
        (MANY, [running("a", mends="node1")], 0, "adeg"),
        (MANY, [record("e", "b", mends="node1")], 0, "deg"),
        # No candidate older than the live release; one being tested is in use, a failed one is not.
        (known(a=READY, b=LIVE), [], 0, "b"),
        (known(a=RETIRED, b=LIVE, c=Stage.TESTING), [], 0, "abc"),
        (known(a=RETIRED, b=LIVE, c=Stage.TESTED), [], 0, "abc"),
        (known(a=BAD, b=LIVE, c=Stage.FAILED), [], 1, "ab"),
        (known(a=READY, b=READY), [], 0, "b"),
        ([], [], 5, ""),
    ],
)
def test_releases_in_use_and_the_newest_are_kept(
    releases: list[Release], history: list[DeploymentRecord], keep: int, kept: str
) -> None:
    assert "".join(sorted(wanted(releases, history, keep))) == kept


def kept(digest: str, age_s: float = 0.0) -> Kept:
    return Kept(Path(f"/{digest}.war"), digest, 1, 10_000.0 - age_s)


@pytest.mark.parametrize(
    ("file", "goes"),
    [
        (kept("known"), True),
        (kept("wanted", 9_000), False),
        (kept("stranger", 10), False),
        (kept("stranger", 3_599), False),
        (kept("stranger", 3_601), True),
        (kept("", 10), False),
        (kept("", 3_601), True),
    ],
)
def test_a_file_unknown_to_the_journal_may_have_just_been_submitted(file: Kept, goes: bool) -> None:
    assert bool(removable([file], {"known", "wanted"}, {"wanted"}, 10_000.0)) is goes


# --- on a real store and journal -----------------------------------------------------------------


@pytest.fixture
async def retention(tmp_path: Path) -> AsyncIterator[Retention]:
    database = await Database.open(tmp_path / "bigred.db")
    store = Store(tmp_path / "releases")
    store.folder.mkdir()
    yield Retention(database, store, {"shop": 1, "blog": 1})
    await database.close()


async def add(retention: Retention, *these: Release) -> None:
    async with retention.db.write() as connection:
        for one in these:
            await releases.add(connection, one)
    for one in these:
        retention.store.path(one.digest).write_bytes(b"12345")


def names(retention: Retention) -> str:
    return "".join(sorted(path.stem for path in retention.store.folder.iterdir()))


async def test_pruning_deletes_what_is_not_needed_and_lists_it(retention: Retention) -> None:
    await add(retention, *MANY)
    went = await retention.prune(time.time())
    assert sorted(file.digest for file in went) == ["a", "b", "c"]
    assert sum(file.size for file in went) == 15
    assert names(retention) == "defg"
    assert await retention.prune(time.time()) == []


async def test_a_dry_run_lists_the_same_and_removes_nothing(retention: Retention) -> None:
    await add(retention, *MANY)
    dry = await retention.prune(time.time(), dry_run=True)
    assert names(retention) == "abcdefg"
    assert await retention.prune(time.time()) == dry


async def test_a_war_that_another_app_needs_is_kept(retention: Retention) -> None:
    await add(retention, *MANY)
    await add(retention, release("a", LIVE, 1.0, "blog"))
    await retention.prune(time.time())
    assert names(retention) == "adefg"


async def test_the_releases_of_an_unconfigured_app_are_kept(
    retention: Retention,
) -> None:
    await add(retention, *(release(name, RETIRED, 1.0, "old") for name in "xyz"))
    assert await retention.prune(time.time()) == []


async def test_the_release_of_a_running_repair_is_kept(retention: Retention) -> None:
    await add(retention, *MANY)
    async with retention.db.write() as connection:
        await deployments.add(connection, running("a", mends="node1"))
    await retention.prune(time.time())
    assert names(retention) == "adefg"
    assert await retention.wanted("shop") == frozenset("adefg")


async def test_a_deployment_requested_during_pruning_waits_for_it(
    retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(retention, *MANY)
    order: list[str] = []
    removing, asking = threading.Event(), threading.Event()
    remove = Store.remove

    def slowly(self: Store, files: list[Kept]) -> None:
        removing.set()
        assert asking.wait(DEADLINE_S)
        remove(self, files)
        order.append("removed")

    monkeypatch.setattr(Store, "remove", slowly)

    async def deploy() -> None:
        assert await asyncio.to_thread(removing.wait, DEADLINE_S)
        asyncio.get_running_loop().call_later(0.05, asking.set)
        async with retention.db.write():
            order.append("deploying")

    await asyncio.gather(retention.prune(time.time()), deploy())
    assert order == ["removed", "deploying"]


async def test_a_missing_store_has_nothing_to_remove(retention: Retention) -> None:
    retention.store.folder.rmdir()
    assert await retention.prune(time.time()) == []


async def test_an_unreadable_store_is_reported(tmp_path: Path) -> None:
    (tmp_path / "releases").write_text("no folder")
    with pytest.raises(ReleaseError, match="releases can't be read: "):
        Store(tmp_path / "releases").contents()


async def test_a_failed_pruning_does_not_harm_the_deployment(
    retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(retention, *MANY)

    def fail(_self: Store, _files: list[Kept]) -> None:
        raise ReleaseError("/releases/a.war can't be removed: Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "remove", fail)
        await retention.tidy()
    assert names(retention) == "abcdefg"
    await retention.tidy()
    assert names(retention) == "defg"


async def test_other_files_in_the_store_are_not_touched(retention: Retention) -> None:
    (retention.store.folder / "README").write_text("mine")
    assert await retention.prune(time.time() + 9_999) == []
    assert (retention.store.folder / "README").exists()
