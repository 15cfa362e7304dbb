"""The journal on a real PostgreSQL that goes away, comes back, or is held up by a stopped server.

The journal's semantics are tested in tests/unit, on both databases.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from tests.support.postgresql import Cluster

from bigred_server.errors import JournalError
from bigred_server.journal import actions, deployments, events, releases
from bigred_server.journal.database import Database
from bigred_server.journal.postgresql import ANSWER_S, CONNECT_S, STATEMENT_S
from bigred_server.model.action_record import Outcome
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage

DEADLINE_S = 30.0
A = "a" * 64


@pytest.fixture
def url(postgresql: Cluster) -> str:
    return postgresql.new_database()


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    database = await Database.open(url)
    yield database
    await database.close()


async def add_release(db: Database, version: str, note: str = "") -> None:
    digest = f"{int(version):064}"
    async with db.write() as connection:
        release = Release("shop", digest, version, note, Stage.READY, 1.0, note, note, note)
        await releases.add(connection, release)


async def versions(db: Database) -> list[str]:
    async with db.read() as connection:
        return sorted(release.version for release in await releases.of_app(connection, "shop"))


# --- away and back -------------------------------------------------------------------------------


async def test_a_restarted_database_is_used_without_an_error(
    postgresql: Cluster, db: Database
) -> None:
    await add_release(db, "1")
    postgresql.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bigred'"
    )
    await add_release(db, "2")
    assert await versions(db) == ["1", "2"]


async def test_a_connection_cut_in_the_middle_is_a_journal_error(
    postgresql: Cluster, db: Database
) -> None:
    async def be_cut() -> None:
        async with db.write() as connection:
            pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            await asyncio.to_thread(postgresql.sql, f"SELECT pg_terminate_backend({pid})")
            await releases.of_app(connection, "shop")

    with pytest.raises(SQLAlchemyError):
        await be_cut()
    await add_release(db, "1")


async def test_an_unresponsive_database_is_an_error_within_seconds(
    postgresql: Cluster, db: Database
) -> None:
    await add_release(db, "1")
    began_s = time.monotonic()
    with postgresql.frozen():
        with pytest.raises(SQLAlchemyError):
            await versions(db)
        took_s = time.monotonic() - began_s
    sys.stdout.write(f"no answer: an error after {took_s:.1f} s\n")
    # For an old connection, and for the new one that replaces it.
    assert took_s < ANSWER_S + CONNECT_S + 5.0
    assert await versions(db) == ["1"]


async def test_a_task_cancelled_while_the_database_is_silent_ends_at_once(
    postgresql: Cluster, db: Database
) -> None:
    await versions(db)
    began_s = time.monotonic()
    with postgresql.frozen(), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await versions(db)
    assert time.monotonic() - began_s < ANSWER_S
    assert await versions(db) == []


STOPPED_WRITER = """
import asyncio, os, signal, sys
from bigred_server.journal.database import Database

async def main(url):
    database = await Database.open(url)
    async with database.write():
        print("writes", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)

asyncio.run(main(sys.argv[1]))
"""


async def test_a_server_frozen_while_writing_loses_its_lock(url: str, db: Database) -> None:
    stopped = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STOPPED_WRITER, url), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert stopped.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            assert await stopped.stdout.readline() == b"writes\n"
            began_s = time.monotonic()
            while not await versions(db):
                # The first attempt may give up just before the lock is free.
                with contextlib.suppress(OperationalError):
                    await add_release(db, "1")
        took_s = time.monotonic() - began_s
        sys.stdout.write(f"a stopped writer: the next one had its turn after {took_s:.1f} s\n")
        assert took_s < STATEMENT_S + 8.0
    finally:
        os.kill(stopped.pid, signal.SIGKILL)
        await stopped.wait()


# --- one writer at a time ------------------------------------------------------------------------


async def test_a_writer_sees_what_was_written_while_it_waited(db: Database) -> None:
    async def later() -> int:
        async with db.write() as connection:
            return len(await releases.of_app(connection, "shop"))

    async with db.write() as connection:
        waiting = asyncio.create_task(later())
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        await releases.add(connection, Release("shop", A, "1", "1", Stage.READY, 1.0))
    assert await waiting == 1


async def test_a_concurrent_write_does_not_wait(db: Database) -> None:
    async with db.write(), asyncio.timeout(DEADLINE_S), db.write_concurrently() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1


async def test_reading_writes_nothing(db: Database) -> None:
    with pytest.raises(SQLAlchemyError, match="read-only transaction"):
        async with db.read() as connection:
            await releases.add(connection, Release("shop", A, "1", "1", Stage.READY, 1.0))


# --- what it can store ---------------------------------------------------------------------------


async def test_any_output_of_a_command_can_be_stored(db: Database) -> None:
    said = "a\0b \u2603 " + "x" * 5000
    await add_release(db, "1", "é" * 2000)
    async with db.write() as connection:
        await deployments.add(connection, DeploymentRecord("d-1", "shop", A, None, "office", 1.0))
        number = await actions.begin(connection, "d-1", "node1", "stop", A, 1.0)
        await actions.end(connection, number, Outcome.FAILED, said[:2000], 2.0)
        await events.add(connection, "d-1", 1.0, "act", said, "node1")
        [event] = await events.of_deployment(connection, "d-1")
        [action] = await actions.of_deployment(connection, "d-1")
    assert event.text == said.replace("\0", "\ufffd")
    assert action.evidence == event.text[:2000]


# --- opening it ----------------------------------------------------------------------------------


async def test_an_absent_database_is_reported_without_its_password(url: str) -> None:
    place = "postgresql://ada:secret@127.0.0.1:1/bigred"
    with pytest.raises(JournalError) as raised:
        await Database.open(place)
    said = str(raised.value)
    assert "the journal at postgresql://ada:***@127.0.0.1:1/bigred can't be used" in said
    assert "fix 'database' in [server]" in said
    assert "secret" not in said
    assert "\n" not in said
    with pytest.raises(JournalError, match='database "nowhere" does not exist'):
        await Database.open("postgresql://postgres@/nowhere" + url[url.index("?") :])


async def test_an_invalid_address_is_reported_without_its_password() -> None:
    with pytest.raises(JournalError, match=r"not a URL: write postgresql://") as raised:
        await Database.open("postgresql://ada:secret@host:port/bigred")
    assert "secret" not in str(raised.value)


async def test_a_missing_driver_is_reported_with_the_fix(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(JournalError, match=r'pip install "bigred\[postgresql\]"'):
        await Database.open(url)


async def test_options_in_the_address_are_kept(url: str) -> None:
    database = await Database.open(f"{url}&options=-c%20lock_timeout%3D4321")
    async with database.read() as connection:
        shown = [
            (await connection.execute(text(f"SHOW {name}"))).scalar_one()
            for name in ("lock_timeout", "statement_timeout")
        ]
    await database.close()
    assert shown == ["4321ms", "5s"]
