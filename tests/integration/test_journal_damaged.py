"""A journal that can't be used: the errors say why, and do no harm when they are followed."""

import contextlib
import resource
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from tests.support.disk import fill, read_only, small_disk

from bigred_server.errors import JournalError
from bigred_server.journal import actions, builds, deployments, integrity, releases, sqlite
from bigred_server.journal.database import Database
from bigred_server.journal.unavailable import JournalUnavailableError, Trouble
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage

A = "a" * 64
MIB = 1 << 20
# What must never be said of a whole journal.
HARMFUL = ("replace", "good copy", "restore", "move the file away", "delete")
RELEASE = Release("shop", A, "1.0.0", "1.0.0", Stage.LIVE, 1.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "bigred.db"


async def made(file: Path) -> None:
    """Make a journal with a release, a deployment with an action, and a build."""
    database = await Database.open(file)
    async with database.write() as db:
        await releases.add(db, RELEASE)
        await deployments.add(db, DeploymentRecord("d-1", "shop", A, None, "office", 1.0))
        await actions.begin(db, "d-1", "node1", "stop", A, 1.0)
        await builds.submit(db, "shop", "c" * 40, "main", "ada", 1.0)
    await database.close()


async def read_all(file: Path) -> None:
    database = await Database.open(file)
    try:
        async with database.read() as db:
            await releases.of_app(db, "shop")
            await deployments.newest(db, None)
            await actions.of_deployment(db, "d-1")
            await builds.of_app(db, "shop")
    finally:
        await database.close()


async def grow(file: Path) -> None:
    """Write until that fails; the database stays open in between, as a server's does."""
    database = await Database.open(file)
    try:
        for number in range(2000):
            async with database.write() as db:
                release = replace(RELEASE, digest=f"{number:064}", version=str(number))
                await releases.add(db, replace(release, message="x" * 2000))
    finally:
        await database.close()


async def reasons(database: Database) -> None:
    """Write until that fails."""
    for number in range(200):
        async with database.write() as db:
            await deployments.change(db, "d-1", reason=f"{number}" * 1000)


async def refused(file: Path, work: Callable[[Path], object] = read_all) -> JournalUnavailableError:
    with pytest.raises(JournalUnavailableError) as caught:
        await work(file)  # type: ignore[misc]
    return caught.value


def is_harmless(error: JournalUnavailableError) -> bool:
    return error.passes and not any(word in str(error) for word in HARMFUL)


# --- a whole journal on a disk that is in trouble ------------------------------------------------


async def test_a_full_disk_leaves_the_journal_whole_and_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", MIB) as disk:
        file = disk / "bigred.db"
        await made(file)
        error = await refused(file, grow)
        assert error.trouble is Trouble.FULL
        assert is_harmless(error), str(error)
        assert "free some space there; the journal is not damaged: leave it where it is" in str(
            error
        )
        await read_all(file)


async def test_a_journal_can_be_written_again_when_there_is_room_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2 * MIB) as disk:
        file = disk / "bigred.db"
        await made(file)
        database = await Database.open(file)
        ballast = fill(disk)
        with pytest.raises(JournalUnavailableError):
            await reasons(database)
        ballast.unlink()
        async with database.write() as db:
            await deployments.change(db, "d-1", reason="there is room again")
        async with database.read() as db:
            record = await deployments.find(db, "d-1")
        await database.close()
        assert record is not None
        assert record.reason == "there is room again"


async def test_a_disk_that_is_full_at_the_first_start_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", MIB) as disk:
        fill(disk)
        error = await refused(disk / "bigred.db")
        assert (error.trouble, is_harmless(error)) == (Trouble.FULL, True), str(error)


async def test_a_read_only_disk_is_named_and_what_was_written_can_be_read(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", MIB) as disk:
        file = disk / "bigred.db"
        await made(file)
        with read_only(disk):
            error = await refused(file, grow)
            assert (error.trouble, is_harmless(error)) == (Trouble.READ_ONLY, True), str(error)


@contextlib.contextmanager
def pragma(statement: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each new connection of the journal a pragma: what a full or read-only disk does."""
    engines = sqlite.engines

    def restricted(path: Path) -> object:
        found = engines(path)

        def restrict(connection: DBAPIConnection, _entry: object) -> None:
            connection.cursor().execute(statement)

        for engine in (found.reader, found.writer):
            event.listen(engine, "connect", restrict)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "engines", restricted)
        yield


@pytest.mark.parametrize(
    ("statement", "trouble"),
    [
        ("PRAGMA max_page_count = 60", Trouble.FULL),
        ("PRAGMA query_only = ON", Trouble.READ_ONLY),
    ],
)
async def test_a_database_that_can_not_grow_or_be_written_is_harmlessly_named(
    file: Path, monkeypatch: pytest.MonkeyPatch, statement: str, trouble: Trouble
) -> None:
    await made(file)
    with pragma(statement, monkeypatch):
        error = await refused(file, grow)
    assert (error.trouble, is_harmless(error)) == (trouble, True), str(error)
    await read_all(file)


async def test_an_error_of_the_disk_is_named_and_the_journal_is_not_to_be_replaced(
    file: Path,
) -> None:
    await made(file)
    limits, before = (
        resource.getrlimit(resource.RLIMIT_FSIZE),
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, limits[1]))
    try:
        error = await refused(file, grow)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert (error.trouble, is_harmless(error)) == (Trouble.DISK, True), str(error)
    assert "dmesg" in str(error)
    await read_all(file)


async def test_a_journal_that_another_program_keeps_busy_is_not_called_damaged(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(file)
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_MS", 50)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        error = await refused(file, grow)
    assert (error.trouble, is_harmless(error)) == (Trouble.BUSY, True), str(error)


async def test_a_journal_that_was_replaced_while_in_use_is_named(file: Path) -> None:
    await made(file)
    database = await Database.open(file)
    copy = file.with_name("copy")
    shutil.copyfile(file, copy)
    copy.replace(file)
    with pytest.raises(JournalUnavailableError) as caught:
        async with database.write() as db:
            await deployments.change(db, "d-1", reason="x")
    await database.close()
    assert caught.value.trouble is Trouble.MOVED
    assert "put the same file back" in str(caught.value)


# --- a journal that is damaged -------------------------------------------------------------------


def truncated(file: Path) -> None:
    with file.open("r+b") as journal:
        journal.truncate(file.stat().st_size // 3)


def no_database(file: Path) -> None:
    file.write_bytes(b"release shop 1.0.0 is live\n" * 500)


scribble_over = no_database


def scribbled(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    file.write_bytes(content)


def no_table(file: Path) -> None:
    execute(file, "DROP TABLE build")


def no_column(file: Path) -> None:
    execute(file, "ALTER TABLE release DROP COLUMN proof")


def execute(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute(statement)
        db.commit()


@pytest.mark.parametrize("damage", [truncated, no_database, scribbled, no_table, no_column])
async def test_a_damaged_journal_is_kept_and_restored_from_a_backup(
    file: Path, damage: Callable[[Path], None]
) -> None:
    await made(file)
    damage(file)
    error = await refused(file)
    assert error.trouble is Trouble.DAMAGED, str(error)
    assert not error.passes
    assert f"the journal {file} can't be used: it is damaged (" in str(error)
    assert "keep a copy of bigred.db with its -wal and -shm" in str(error)


IMPOSSIBLE = {
    "UPDATE deployment SET phase = 'flying'": "deployment d-1 shop aaaaaaaaaaaa: phase is 'flying'",
    "UPDATE deployment SET nodes = 'node1'": "deployment: it is not JSON",
    "UPDATE deployment SET nodes = '{\"a\": 1}'": "nodes is {'a': 1}",
    "UPDATE deployment SET nodes = 'null'": "nodes is None",
    "UPDATE deployment SET command = 'dance'": "command is 'dance'",
    "UPDATE deployment SET started_at = 9e999": "started_at is inf",
    "UPDATE deployment SET started_at = 'soon'": "started_at",
    "UPDATE release SET size = -5": "release shop 1.0.0 aaaaaaaaaaaa: size is -5",
    "UPDATE release SET size = 'big'": "size is 'big'",
    "UPDATE release SET stage = 'gone'": "stage is 'gone'",
    "UPDATE release SET changes = '[1]'": "changes.0",
    "UPDATE release SET proof = '[]'": "proof",
    "UPDATE act SET outcome = x'00ff'": "outcome",
    "UPDATE build SET stage = ''": "build b-",
    "UPDATE build SET number = 'first'": "number is 'first'",
}


@pytest.mark.parametrize("statement", IMPOSSIBLE)
async def test_an_impossible_value_is_named_with_its_row(file: Path, statement: str) -> None:
    await made(file)
    execute(file, statement)
    error = await refused(file)
    assert str(error).startswith("the journal has an impossible value in ")
    assert IMPOSSIBLE[statement] in str(error), str(error)


async def test_a_null_where_none_may_be_is_named(file: Path) -> None:
    await made(file)
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA writable_schema = ON")
        sql = "UPDATE sqlite_schema SET sql = replace(sql, 'phase VARCHAR(16) NOT NULL', 'phase')"
        db.execute(sql)
        db.commit()
    execute(file, "UPDATE deployment SET phase = NULL")
    assert "phase is None" in str(await refused(file))


# --- something else in its place -----------------------------------------------------------------


async def test_a_database_of_another_program_is_refused_and_left_alone(file: Path) -> None:
    make_folder(file.parent)
    execute(file, "CREATE TABLE recipes (name TEXT)")
    error = await refused(file)
    assert error.trouble is Trouble.FOREIGN
    assert "it is a database, but not a journal of Bigred (it has recipes)" in str(error)
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("recipes",)]


async def test_a_foreign_table_beside_ours_does_no_harm(file: Path) -> None:
    await made(file)
    execute(file, "CREATE TABLE recipes (name TEXT)")
    await read_all(file)


@pytest.mark.parametrize(
    ("revision", "who"),
    [("0042", "a newer Bigred"), ("d34db33f", "another program"), ("", "another program")],
)
async def test_a_revision_that_is_not_ours_is_refused(file: Path, revision: str, who: str) -> None:
    await made(file)
    execute(file, f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608 -- ours
    with pytest.raises(JournalError, match=f"revision '{revision}'.*{who} has used it"):
        await read_all(file)


def make_folder(path: Path) -> None:
    path.mkdir(parents=True)


async def test_a_folder_in_place_of_the_journal_is_named(file: Path) -> None:
    make_folder(file)
    error = await refused(file)
    assert "can't be used: it is a folder" in str(error)
    assert "move this folder away, and put the journal back" in str(error)


async def test_a_file_in_place_of_the_state_folder_is_named(file: Path) -> None:
    scribble_over(file.parent)
    error = await refused(file)
    assert error.trouble is Trouble.CLOSED, str(error)


async def test_nothing_is_left_open_after_a_refusal(file: Path) -> None:
    await made(file)
    no_table(file)
    database = await Database.open(file)
    with pytest.raises(JournalUnavailableError):
        async with database.read() as db:
            await builds.of_app(db, "shop")
    async with database.write() as db:
        await db.execute(text("UPDATE deployment SET reason = 'it goes on'"))
    await database.close()


async def test_pages_that_are_not_whole_are_found(file: Path) -> None:
    await grow_a_little(file)
    assert await checked(file) == []
    tear(file)
    assert 1 <= len(await checked(file)) <= 3


async def checked(file: Path) -> list[str]:
    """Check a journal as the doctor does."""
    database = await Database.open(file)
    try:
        async with database.read() as db:
            return await integrity.problems(db)
    except JournalUnavailableError as error:
        return [str(error)] if error.trouble is Trouble.DAMAGED else []
    finally:
        await database.close()


async def grow_a_little(file: Path) -> None:
    await made(file)
    database = await Database.open(file)
    async with database.write() as db:
        for number in range(200):
            release = replace(RELEASE, digest=f"{number:064}", version=str(number))
            await releases.add(db, replace(release, message="x" * 2000))
    await database.close()


def tear(file: Path) -> None:
    """Lose the last page but one, as a disk does that lost a write."""
    content = bytearray(file.read_bytes())
    content[-8192:-4096] = bytes(4096)
    file.write_bytes(content)
