"""What a reconciler reads of the journal: again as soon as anybody has written, and only then."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bigred_broker.messages import Phase
from bigred_server.journal import deployments, releases
from bigred_server.journal.database import Database
from bigred_server.journal.revision import Fingerprints
from bigred_server.journal.unavailable import JournalUnavailableError
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage
from bigred_server.rollout.loop.journal_view import JournalReader

RELEASE = Release("shop", "1" * 64, "1.0.0", "1.0.0", Stage.READY, 1.0)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "bigred.db")
    yield opened
    await opened.close()


def deployed(name: str, mends: str | None = None) -> DeploymentRecord:
    return DeploymentRecord(name, "shop", RELEASE.digest, None, "ada", 2.0, mends=mends)


def ended(name: str, mends: str | None = None) -> DeploymentRecord:
    return replace(deployed(name, mends), phase=Phase.SUCCEEDED, ended_at=3.0)


async def test_nothing_is_read_again_while_nobody_writes(db: Database) -> None:
    reader = JournalReader("shop", db)
    first = await reader.view()
    assert await reader.view() is first
    async with db.read() as connection:
        await releases.of_app(connection, "shop")
    assert await reader.view() is first


async def test_what_this_process_writes_is_read(db: Database) -> None:
    reader = JournalReader("shop", db)
    assert not (await reader.view()).known
    async with db.write() as connection:
        await releases.add(connection, RELEASE)
    assert (await reader.view()).known == {RELEASE.digest: RELEASE}
    async with db.write() as connection:
        await deployments.add(connection, deployed("d-1"))
    view = await reader.view()
    assert view.running is not None
    assert view.running.id == "d-1"


async def test_what_another_one_writes_is_read(db: Database, tmp_path: Path) -> None:
    reader = JournalReader("shop", db)
    await reader.view()
    other = await Database.open(tmp_path / "bigred.db")
    try:
        for count in range(1, 4):
            release = Release("shop", str(count) * 64, f"{count}.0", "m", Stage.READY, 1.0)
            async with other.write() as connection:
                await releases.add(connection, release)
            assert len((await reader.view()).known) == count
    finally:
        await other.close()


async def test_a_transaction_that_is_rolled_back_changes_nothing(db: Database) -> None:
    reader = JournalReader("shop", db)
    await reader.view()
    with contextlib.suppress(ZeroDivisionError):
        async with db.write() as connection:
            await releases.add(connection, RELEASE)
            raise ZeroDivisionError
    assert not (await reader.view()).known


async def test_a_repair_is_among_the_newest_and_never_the_last_one(db: Database) -> None:
    reader = JournalReader("shop", db)
    async with db.write() as connection:
        await releases.add(connection, RELEASE)
        await deployments.add(connection, ended("d-1"))
        await deployments.add(connection, ended("d-2", mends="n1"))
    view = await reader.view()
    assert view.running is None
    assert view.last is not None
    assert view.last.id == "d-1"
    assert {one.id for one in view.recent} == {"d-1", "d-2"}


async def test_a_journal_that_was_moved_away_is_noticed(db: Database, tmp_path: Path) -> None:
    reader = JournalReader("shop", db)
    await reader.view()
    (tmp_path / "bigred.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(JournalUnavailableError):
        await reader.view()


async def test_what_is_written_about_another_app_changes_nothing(db: Database) -> None:
    reader = JournalReader("shop", db)
    async with db.write() as connection:
        await releases.add(connection, RELEASE)
    first = await reader.view()
    async with db.write() as connection:
        await releases.add(connection, replace(RELEASE, app="books"))
        await deployments.add(connection, replace(deployed("d-1"), app="books"))
    assert await reader.view() is first


async def test_releases_are_the_same_while_a_deployment_goes_on(db: Database) -> None:
    reader = JournalReader("shop", db)
    async with db.write() as connection:
        await releases.add(connection, RELEASE)
        await deployments.add(connection, deployed("d-1"))
    first = await reader.view()
    async with db.write() as connection:
        await deployments.change(connection, "d-1", reason="it is slow")
    second = await reader.view()
    assert second.running is not None
    assert second.running.reason == "it is slow"
    assert second.known is first.known
    async with db.write() as connection:
        await releases.set_stage(connection, "shop", RELEASE.digest, Stage.BAD)
    assert (await reader.view()).known[RELEASE.digest].stage is Stage.BAD


async def test_what_was_written_while_it_was_read_is_read_at_the_next_look(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = JournalReader("shop", db)
    await reader.view()
    known = db.fingerprints

    async def written_meanwhile(app: str) -> Fingerprints | None:
        found = await known(app)
        async with db.write() as connection:
            await releases.set_stage(connection, "shop", RELEASE.digest, Stage.BAD)
        return found

    async with db.write() as connection:
        await releases.add(connection, RELEASE)
    with monkeypatch.context() as patched:
        patched.setattr(db, "fingerprints", written_meanwhile)
        assert (await reader.view()).known[RELEASE.digest].stage is Stage.BAD
    async with db.write() as connection:
        await releases.set_stage(connection, "shop", RELEASE.digest, Stage.READY)
    # The fingerprint is the old one again; what was read with it is not.
    assert (await reader.view()).known[RELEASE.digest].stage is Stage.READY


async def test_what_could_not_be_read_once_is_read_the_next_time(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = JournalReader("shop", db)
    await reader.view()
    async with db.write() as connection:
        await releases.add(connection, RELEASE)
        await deployments.add(connection, deployed("d-1"))

    async def fails(*_: object) -> None:
        raise OSError("too many open files")

    with monkeypatch.context() as broken:
        broken.setattr(deployments, "running", fails)
        with pytest.raises(OSError, match="too many open files"):
            await reader.view()
    view = await reader.view()
    assert view.running is not None
    assert view.known == {RELEASE.digest: RELEASE}
