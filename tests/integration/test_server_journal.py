"""The journal: its tables, its transactions, and its lock."""

import asyncio
import contextlib
import errno
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from tests.support.postgresql import Cluster

from bigred_broker.messages import Phase
from bigred_server.errors import DeploymentError, JournalError, NotRunningError
from bigred_server.journal import actions, armings, deployments, events, lock, releases
from bigred_server.journal import database as database_module
from bigred_server.journal.database import Database, DatabaseUrl
from bigred_server.journal.tables import metadata
from bigred_server.journal.unavailable import JournalUnavailableError
from bigred_server.model.action_record import Outcome
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.marker import MarkerSettings
from bigred_server.model.release import Release, Stage

A, B = "a" * 64, "b" * 64


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseUrl:
    """Return the URL of a new journal, on either database."""
    if request.param == "sqlite":
        return tmp_path / "below" / "bigred.db"
    cluster: Cluster = request.getfixturevalue("postgresql")
    return cluster.new_database()


@pytest.fixture
async def db(place: DatabaseUrl) -> AsyncIterator[Database]:
    database = await Database.open(place)
    yield database
    await database.close()


@pytest.fixture
async def sqlite_db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "bigred.db")
    yield database
    await database.close()


def release(digest: str, version: str, **more: object) -> Release:
    return replace(Release("shop", digest, version, version, Stage.READY, 1.0), **more)  # type: ignore[arg-type]


def record(number: str = "d-1", app: str = "shop", **more: object) -> DeploymentRecord:
    return replace(DeploymentRecord(number, app, A, None, "office", 1.0), **more)  # type: ignore[arg-type]


# --- tables --------------------------------------------------------------------------------------


async def test_the_migrations_create_the_tables_that_the_code_expects(db: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with db.read() as connection:
        assert await connection.run_sync(differences) == []


# A deployment with an action, as in the first revision of the schema.
EARLIER = (
    "INSERT INTO deployment (id, app, digest, who, phase, reason, nodes, skipped, rollback_asked,"
    " blames_build, not_before, started_at)"
    " VALUES ('d-1', 'shop', 'a', 'office', 'rolling', '', '[]', '[]', true, false, 0, 1)",
    "INSERT INTO act (deployment, node, kind, digest, begun_at, evidence)"
    " VALUES ('d-1', 'node1', 'stop', 'a', 1, '')",
    "INSERT INTO release"
    ' (app, digest, version, marker, stage, submitted_at, "commit", author, message, size)'
    " VALUES ('shop', 'a', '1.0.0', '1.0.0', 'live', 1, '', '', '', 1)",
)


async def test_a_journal_of_the_first_revision_is_brought_up_to_date(
    place: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(database_module, "REVISION", "0001")
        database = await Database.open(place)
        async with database.write() as connection:
            for statement in EARLIER:
                await connection.execute(text(statement))
        await database.close()
    database = await Database.open(place)
    async with database.write() as connection:
        running = await deployments.running(connection, "shop")
        [action] = await actions.of_deployment(connection, "d-1")
        [old] = await releases.of_app(connection, "shop")
        with pytest.raises(DeploymentError):
            await deployments.add(connection, record("d-2"))
    await database.close()
    assert running is not None
    assert (running.command, running.set_aside, action.token) == (Command.ROLLBACK, (), 0)
    assert (old.marker, old.proof) == ("1.0.0", None)


async def test_a_journal_of_a_newer_bigred_is_refused(place: DatabaseUrl) -> None:
    database = await Database.open(place)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await database.close()
    with pytest.raises(JournalError, match="a newer Bigred has used it"):
        await Database.open(place)


async def test_a_journal_survives_being_opened_again(place: DatabaseUrl) -> None:
    for expected in (0, 1):
        database = await Database.open(place)
        async with database.write() as connection:
            assert len(await releases.of_app(connection, "shop")) == expected
            if not expected:
                await releases.add(connection, release(A, "1"))
        await database.close()


async def test_a_commit_is_on_disk(sqlite_db: Database) -> None:
    async with sqlite_db.read() as connection:
        mode = await connection.execute(text("PRAGMA journal_mode"))
        synchronous = await connection.execute(text("PRAGMA synchronous"))
        foreign_keys = await connection.execute(text("PRAGMA foreign_keys"))
        assert (mode.scalar_one(), synchronous.scalar_one()) == ("wal", 2)
        assert foreign_keys.scalar_one() == 1


async def test_readers_see_one_state_and_do_not_block_writers(db: Database) -> None:
    async with db.read() as connection:
        assert await releases.of_app(connection, "shop") == []
        async with db.write() as writer:
            await releases.add(writer, release(A, "1"))
        assert await releases.of_app(connection, "shop") == []


async def test_a_failed_transaction_leaves_nothing(db: Database) -> None:
    async def fail() -> None:
        async with db.write() as connection:
            await releases.add(connection, release(A, "1"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with db.read() as connection:
        assert await releases.of_app(connection, "shop") == []


# --- releases ------------------------------------------------------------------------------------


async def test_an_app_has_one_live_release(db: Database) -> None:
    async with db.write() as connection:
        await releases.add(connection, release(A, "1", submitted_at=1.0))
        await releases.add(connection, release(B, "2", submitted_at=2.0))
        await releases.add(connection, release(A, "1", app="blog", stage=Stage.LIVE))
        await releases.make_live(connection, "shop", A)
        await releases.make_live(connection, "shop", B)
        found = await releases.of_app(connection, "shop")
        blog = await releases.find(connection, "blog", A)
    assert [(r.version, r.stage) for r in found] == [("2", Stage.LIVE), ("1", Stage.RETIRED)]
    assert blog is not None
    assert blog.stage is Stage.LIVE


async def test_the_releases_since_the_live_one_are_all_if_none_is_live(db: Database) -> None:
    async with db.write() as connection:
        for number in (1.0, 3.0, 2.0):
            one = release(f"{number:064}", f"{number}", submitted_at=number)
            await releases.add(connection, one)
        await releases.add(connection, release(A, "9", app="blog", stage=Stage.LIVE))
        before = await releases.since_live(connection, "shop")
        await releases.make_live(connection, "shop", f"{2.0:064}")
        after = await releases.since_live(connection, "shop")
    assert [one.version for one in before] == ["3.0", "2.0", "1.0"]
    assert [one.version for one in after] == ["3.0", "2.0"]


async def test_a_version_is_one_release(db: Database) -> None:
    async with db.write() as connection:
        await releases.add(connection, release(A, "1"))
        with pytest.raises(IntegrityError):
            async with connection.begin_nested():
                await releases.add(connection, release(B, "1"))


# --- deployments and actions ---------------------------------------------------------------------


async def test_a_release_keeps_the_marker_that_was_recorded_first(db: Database) -> None:
    recorded = MarkerSettings.model_validate(
        {"path": "/info", "read": "json", "pointer": "/build/version", "status": [200, 204]}
    )
    later = MarkerSettings(path="/later")
    async with db.write() as connection:
        await releases.add(connection, release(A, "1.0.0", proof=recorded))
        await releases.add(connection, release(B, "1.1.0"))
        await releases.add(connection, release(A, "7", app="blog"))
        await releases.prove_by(connection, "shop", later)
        known = {one.digest: one.proof for one in await releases.of_app(connection, "shop")}
        (other,) = await releases.of_app(connection, "blog")
    assert known == {A: recorded, B: later}
    assert other.proof is None


async def test_an_app_has_one_running_deployment(db: Database) -> None:
    async with db.write() as connection:
        await deployments.add(connection, record("d-1"))
        await deployments.add(connection, record("d-2", "blog"))
        with pytest.raises(DeploymentError, match="a deployment of shop is already running"):
            await deployments.add(connection, record("d-3"))
        await deployments.change(connection, "d-1", phase=Phase.ABORTED, ended_at=2.0)
        await deployments.add(connection, record("d-3"))
        running = await deployments.running(connection, "shop")
    assert running is not None
    assert running.id == "d-3"


async def test_a_deployment_round_trips(db: Database) -> None:
    written = record(
        previous=B,
        not_before=3.5,
        phase=Phase.ROLLING,
        reason="because",
        nodes=("a", "b"),
        skipped=("c",),
        command=Command.ROLLBACK,
        blames_build=True,
        takes_back=B,
        counters={"pid": 1},
        receipt={"outcome": "x"},
    )
    async with db.write() as connection:
        await deployments.add(connection, written)
        read = await deployments.find(connection, "d-1")
    assert read == written
    assert read is not None
    assert (read.counters, read.receipt) == ({"pid": 1}, {"outcome": "x"})


async def test_deployments_are_listed_the_newest_first(db: Database) -> None:
    async with db.write() as connection:
        for number in range(3):
            await deployments.add(
                connection, record(f"d-{number}", f"app-{number}", started_at=float(number))
            )
        everyone = await deployments.newest(connection, None, 2)
        one = await deployments.newest(connection, "app-0")
    assert [found.id for found in everyone] == ["d-2", "d-1"]
    assert [found.id for found in one] == ["d-0"]


async def test_an_action_has_its_intent_before_and_its_outcome_after(db: Database) -> None:
    async with db.write() as connection:
        await deployments.add(connection, record())
        number = await actions.begin(connection, "d-1", "node1", "stop", A, 10.0)
    async with db.read() as connection:
        [intent] = await actions.of_deployment(connection, "d-1")
    assert (intent.outcome, intent.ended_at) == (None, None)
    async with db.write() as connection:
        await actions.end(connection, number, Outcome.FAILED, "x" * 5000, 12.0)
        [done] = await actions.of_deployment(connection, "d-1")
    assert (done.outcome, done.ended_at, len(done.evidence)) == ("failed", 12.0, 4000)


async def test_actions_that_a_server_never_ended_are_unknown(db: Database) -> None:
    async with db.write() as connection:
        await deployments.add(connection, record("d-1"))
        await deployments.add(connection, record("d-2", "blog"))
        done = await actions.begin(connection, "d-1", "node1", "maint", A, 10.0)
        await actions.end(connection, done, Outcome.DONE, "", 11.0)
        await actions.begin(connection, "d-1", "node1", "stop", A, 12.0)
        await actions.begin(connection, "d-2", "node1", "stop", A, 12.0)
        assert await actions.end_left_open(connection, "d-1", 20.0) == 1
        ours = await actions.of_deployment(connection, "d-1")
        others = await actions.of_deployment(connection, "d-2")
    assert [action.outcome for action in ours] == ["done", "unknown"]
    assert others[0].outcome is None


async def test_an_action_belongs_to_a_deployment(db: Database) -> None:
    with pytest.raises(IntegrityError):
        async with db.write() as connection:
            await actions.begin(connection, "d-9", "node1", "stop", A, 10.0)


async def test_a_follower_reads_the_events_after_those_it_knows(db: Database) -> None:
    async with db.write() as connection:
        await deployments.add(connection, record())
        for number in range(3):
            await events.add(connection, "d-1", float(number), "act", f"event {number}", "node1")
        first = (await events.of_deployment(connection, "d-1"))[0]
        later = await events.of_deployment(connection, "d-1", after=first.id)
    assert [found.text for found in later] == ["event 1", "event 2"]


async def test_old_answers_of_a_box_are_forgotten(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(armings, "KEPT", 3)
    async with db.write() as connection:
        await armings.remember(connection, "lab", "e-0", "{}", 0.0)
        for number in range(6):
            await armings.remember(connection, "office", f"e-{number}", "{}", float(number))
        await armings.tidy(connection, "office", 6.0)
        kept = [
            number
            for number in range(6)
            if await armings.answered(connection, "office", f"e-{number}")
        ]
        assert kept == [3, 4, 5]
        assert await armings.answered(connection, "lab", "e-0") == "{}"


# --- concurrent use ------------------------------------------------------------------------------


async def test_writers_of_one_process_wait_for_each_other(db: Database) -> None:
    async def write(number: int) -> None:
        async with db.write() as connection:
            known = await releases.of_app(connection, "shop")
            await asyncio.sleep(0)
            await releases.add(connection, release(f"{number:064}", str(len(known))))

    await asyncio.gather(*(write(number) for number in range(20)))
    async with db.read() as connection:
        assert len(await releases.of_app(connection, "shop")) == 20


WRITER = """
import asyncio, pathlib, sys
from bigred_server.journal import releases
from bigred_server.journal.database import Database, DatabaseUrl
from bigred_server.model.release import Release, Stage

async def write(path, who):
    database = await Database.open(path)
    for number in range(25):
        async with database.write() as connection:
            version = str(len(await releases.of_app(connection, "shop")))
            digest = f"{who}{number:063}"
            new = Release("shop", digest, version, version, Stage.READY, 1.0)
            await releases.add(connection, new)
    await database.close()

url = sys.argv[1]
asyncio.run(write(url if "://" in url else pathlib.Path(url), sys.argv[2]))
"""


async def test_processes_open_and_write_a_new_journal_at_the_same_time(place: DatabaseUrl) -> None:
    writers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WRITER, str(place), str(who)), stderr=asyncio.subprocess.PIPE
        )
        for who in range(3)
    ]
    async with asyncio.timeout(60):
        stderr = [(await writer.communicate())[1].decode() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], stderr
    database = await Database.open(place)
    async with database.read() as connection:
        assert len(await releases.of_app(connection, "shop")) == 75
    await database.close()


# --- the lock ------------------------------------------------------------------------------------


def test_a_journal_accepts_one_server(tmp_path: Path) -> None:
    journal = tmp_path / "below" / "bigred.db"
    assert not lock.is_held(journal)
    with lock.held(journal):
        assert lock.is_held(journal)
        with (
            pytest.raises(NotRunningError, match="another bigred server already uses"),
            lock.held(journal),
        ):
            pytest.fail("it was held twice")
        assert lock.is_held(journal)
    assert not lock.is_held(journal)


def test_whoever_may_not_open_the_lock_is_told_to_be_the_servers_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "bigred.db"
    with lock.held(journal):
        pass

    def refuse(*_given: object, **_named: object) -> None:
        # As for another user; root may open everything.
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(JournalUnavailableError, match=r"Permission denied.*the server's user"):
        lock.is_held(journal)


def test_a_server_starts_while_another_process_checks_whether_one_runs(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    with contextlib.ExitStack() as asking:
        asking.enter_context(lock.held(journal))
        ends = threading.Timer(0.2, asking.close)
        ends.start()
        with lock.held(journal):
            assert lock.is_held(journal)
        ends.join()


HOLDER = """
import os, pathlib, sys
from bigred_server.journal import lock

with lock.held(pathlib.Path(sys.argv[1])):
    os.kill(os.getpid(), 9)
"""


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    journal = tmp_path / "bigred.db"
    holder = subprocess.run([sys.executable, "-c", HOLDER, journal], timeout=30, check=False)
    assert holder.returncode == -9
    assert not lock.is_held(journal)
    with lock.held(journal):
        pass
