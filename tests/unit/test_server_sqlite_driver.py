"""The journal's driver for SQLite: what it does on the loop, what beside it, and who waits."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any  # sqlite3.connect's arguments

import pytest
from sqlalchemy import text
from tests.support.until import until

from bigred_server.journal import sqlite, sqlite_driver
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.database import Database
from bigred_server.journal.unavailable import JournalUnavailableError, Trouble

DEADLINE_S = 20.0
# Half a second or more.
LONG = text(
    "SELECT count(*) FROM (WITH RECURSIVE n(i) AS "
    "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n)"
)
ENDLESS = text(
    "SELECT count(*) FROM (WITH RECURSIVE n(i) AS "
    "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n)"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bigred.db"


@pytest.fixture
async def db(file: Path) -> AsyncIterator[Database]:
    database = await Database.open(file)
    yield database
    await database.close()


async def note(connection: AsyncConnection, number: int) -> None:
    """Write a row."""
    statement = "INSERT INTO answer VALUES ('office', :event, :at, '{}')"
    await connection.execute(text(statement), {"event": str(number), "at": float(number)})


async def write(db: Database, number: int) -> None:
    async with db.write() as connection:
        await note(connection, number)


async def numbers(db: Database) -> list[int]:
    """List what was written, in the order in which it was."""
    async with db.read() as connection:
        return [
            int(one)
            for one in await connection.scalars(text("SELECT event FROM answer ORDER BY rowid"))
        ]


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the file's lock as another program does."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


class SlowDisk:
    """A disk on which a commit lasts until `go`; `begun`: one waits for it."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()

    def connect(self, *arguments: Any, **more: Any) -> sqlite3.Connection:
        disk = self

        class Slow(sqlite3.Connection):
            def commit(self) -> None:
                if threading.current_thread() is not threading.main_thread():
                    disk.begun.set()
                    assert disk.go.wait(DEADLINE_S)
                super().commit()

        return sqlite3.connect(*arguments, factory=Slow, **more)


@pytest.fixture
async def slow(file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlowDisk]:
    await (await Database.open(file)).close()
    disk = SlowDisk()
    monkeypatch.setattr(sqlite_driver, "connect", disk.connect)
    yield disk
    disk.go.set()


# --- writers of one process ----------------------------------------------------------------------


async def test_two_hundred_writers_at_once_all_write_in_the_order_in_which_they_came(
    db: Database,
) -> None:
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        for number in range(200):
            tasks.create_task(write(db, number))
    assert await numbers(db) == list(range(200))


async def test_a_reader_waits_for_no_writer_and_sees_the_state_before(db: Database) -> None:
    async with asyncio.timeout(DEADLINE_S), db.write() as connection:
        await note(connection, 1)
        assert await numbers(db) == []
    assert await numbers(db) == [1]


async def test_a_writer_that_gets_no_turn_is_refused_and_others_go_on(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_TURN_S", 0.05)
    db = await Database.open(file)
    async with db.write() as connection:
        await note(connection, 1)
        with pytest.raises(JournalUnavailableError) as caught:
            await write(db, 2)
    await write(db, 3)
    assert caught.value.trouble is Trouble.BUSY
    assert await numbers(db) == [1, 3]
    await db.close()


async def test_a_writer_cancelled_while_it_waits_for_its_turn_keeps_nobody_waiting(
    db: Database,
) -> None:
    async with asyncio.timeout(DEADLINE_S):
        async with db.write() as connection:
            await note(connection, 1)
            waiting = [asyncio.create_task(write(db, number)) for number in (2, 3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
        await asyncio.wait(waiting)
    assert await numbers(db) == [1, 3]


# --- another process -----------------------------------------------------------------------------


async def test_the_loop_goes_on_while_a_writer_waits_for_another_program(
    db: Database, file: Path
) -> None:
    async with asyncio.timeout(DEADLINE_S):
        with locked(file):
            writer = asyncio.create_task(write(db, 1))
            for _ in range(20):
                assert await numbers(db) == []
                await asyncio.sleep(0.002)
            assert not writer.done()
        await writer
    assert await numbers(db) == [1]


async def test_a_writer_cancelled_while_another_program_writes_leaves_nothing_behind(
    db: Database, file: Path
) -> None:
    async with asyncio.timeout(DEADLINE_S):
        with locked(file):
            writer = asyncio.create_task(write(db, 1))
            for _ in range(5):
                assert await numbers(db) == []
            writer.cancel()
            await asyncio.wait([writer])
        await write(db, 2)
    assert writer.cancelled()
    assert await numbers(db) == [2]


# --- the disk ------------------------------------------------------------------------------------


async def test_the_loop_goes_on_while_a_commit_waits_for_the_disk(
    slow: SlowDisk, file: Path
) -> None:
    db = await Database.open(file)
    writer = asyncio.create_task(write(db, 1))
    await until(slow.begun.is_set, DEADLINE_S, "it commits")
    assert await numbers(db) == []
    slow.go.set()
    await writer
    assert await numbers(db) == [1]
    await db.close()


async def test_a_task_cancelled_while_it_commits_ends_when_the_disk_has_answered(
    slow: SlowDisk, file: Path
) -> None:
    db = await Database.open(file)
    writer, after = (asyncio.create_task(write(db, number)) for number in (1, 2))
    await until(slow.begun.is_set, DEADLINE_S, "it commits")
    for _ in range(3):
        writer.cancel()
        await asyncio.sleep(0)
    assert not writer.done()
    slow.go.set()
    await asyncio.wait([writer, after])
    assert writer.cancelled()
    assert await numbers(db) == [1, 2]
    await db.close()


# --- long statements -----------------------------------------------------------------------------


async def ticks(work: asyncio.Task[Any]) -> int:
    """Count how often the loop came round until a task was done."""
    count = 0
    while not work.done():
        count += 1
        await asyncio.sleep(0.001)
    return count


async def test_a_long_query_does_not_keep_the_loop_waiting(db: Database) -> None:
    async def count() -> int:
        async with db.read() as connection:
            return int((await connection.execute(LONG)).scalar_one())

    work = asyncio.create_task(count())
    async with asyncio.timeout(DEADLINE_S):
        assert await ticks(work) > 20
    assert await work == 1_000_000


async def test_what_a_transaction_has_written_survives_a_long_query_in_it(db: Database) -> None:
    async with asyncio.timeout(DEADLINE_S), db.write() as connection:
        await note(connection, 1)
        assert (await connection.execute(LONG)).scalar_one() == 1_000_000
        await note(connection, 2)
    assert await numbers(db) == [1, 2]


async def test_many_rows_written_after_a_query_are_never_cut(db: Database) -> None:
    statement = text("INSERT INTO answer VALUES ('office', :event, 0.0, '{}')")
    async with asyncio.timeout(DEADLINE_S), db.write() as connection:
        await note(connection, 1_000_000)
        await connection.execute(LONG)
        await connection.scalars(text("SELECT event FROM answer"))
        await connection.execute(statement, [{"event": str(one)} for one in range(20_000)])
        await connection.execute(text("UPDATE answer SET at = at + 1"))
    assert len(await numbers(db)) == 20_001


@pytest.mark.parametrize("moment", [0, 1, 2, 3, 4, 5, 6, 8, 10, 20, 1000])
async def test_a_query_ends_when_its_task_is_cancelled(db: Database, moment: int) -> None:
    async def count() -> None:
        async with db.read() as connection:
            await connection.execute(ENDLESS)

    work = asyncio.create_task(count())
    async with asyncio.timeout(DEADLINE_S):
        # Wherever it is: before its statement, on the loop, or in the thread.
        for _ in range(moment):
            await asyncio.sleep(0)
        work.cancel()
        await asyncio.wait([work])
    assert work.cancelled()
    await write(db, 1)
    assert await numbers(db) == [1]


# --- transactions --------------------------------------------------------------------------------


async def test_a_task_cancelled_in_a_transaction_rolls_back_and_returns_its_connection(
    db: Database,
) -> None:
    begun = asyncio.Event()

    async def begin() -> None:
        async with db.write() as connection:
            await note(connection, 1)
            begun.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(DEADLINE_S):
        for _ in range(50):
            task = asyncio.create_task(begin())
            await begun.wait()
            begun.clear()
            task.cancel()
            await asyncio.wait([task])
        await write(db, 2)
    assert await numbers(db) == [2]


async def test_connections_and_threads_end_with_the_database(file: Path) -> None:
    before = threading.active_count()
    db = await Database.open(file)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(db.read())
        await write(db, 1)
    await db.close()
    await until(lambda: threading.active_count() == before, DEADLINE_S, "all threads ended")
