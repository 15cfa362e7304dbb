"""Leases in a real PostgreSQL, held by processes that are frozen, killed, or properly stopped."""

import asyncio
import contextlib
import itertools
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError
from tests.support.postgresql import Cluster
from tests.support.until import until

from bigred_broker import program
from bigred_broker.program import wait_until
from bigred_server.errors import LeaseLostError, NotRunningError
from bigred_server.journal import leases, tables
from bigred_server.journal.database import Database
from bigred_server.journal.lease import ANSWER_S, Lease
from bigred_server.journal.lease_state import LEASE_S
from bigred_server.journal.presence import is_any_open
from bigred_server.journal.session import open_session

TAKE_OVER_S = 15.0
DEADLINE_S = 30.0
APPS = tuple(f"app-{number}" for number in range(8))

# Acts for every app that it leads, each at its own pace: fence, guard, then an effect that cannot
# be undone: a line in a file, with the app, the token and the actor.
ACTOR = """
import asyncio, os, random, signal, sys
from bigred_server.errors import LeaseLostError
from bigred_server.journal.session import open_session

async def act(session, app, name, file):
    lead = session.leads[app]
    while True:
        if await lead.hold():
            try:
                async with session.db.write() as db:
                    await lead.fence(db)
                async with lead.guard():
                    await asyncio.sleep(random.random() / 20)
                    os.write(file, f"{app} {lead.token} {name}\\n".encode())
            except LeaseLostError:
                print("lost", app, flush=True)
        await asyncio.sleep(random.random() / 20)

async def main(url, name, path, *apps):
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with open_session(url, name, apps) as session:
        running = [asyncio.create_task(act(session, app, name, file)) for app in apps]
        running.append(asyncio.create_task(session.keep()))
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        print("runs", flush=True)
        await stopped.wait()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass(frozen=True)
class Effect:
    """A line of the effects file."""

    app: str
    token: int
    who: str


@dataclass(frozen=True)
class Rig:
    """A database, the effects file, and the actors."""

    url: str
    folder: Path
    stack: ExitStack

    def actor(self, name: str) -> "subprocess.Popen[bytes]":
        log = self.log(name)
        command = [sys.executable, "-c", ACTOR, self.url, name, str(self.folder / "effects"), *APPS]
        return self.stack.enter_context(
            program.running(name, command, log, lambda: "runs" in log.read_text())
        )

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def effects(self) -> list[Effect]:
        file = self.folder / "effects"
        lines = file.read_text().splitlines() if file.exists() else []
        return [Effect(app, int(token), who) for app, token, who in map(str.split, lines)]

    def until_all_by(self, who: str) -> float:
        """Wait until an actor acts for every app; return how long that took."""
        began_s = time.monotonic()
        wait_until(
            lambda: {effect.app for effect in self.effects() if effect.who == who} == set(APPS),
            DEADLINE_S,
            f"{who} acts for all apps",
        )
        return time.monotonic() - began_s

    def check(self, but: Sequence[Effect] = ()) -> None:
        """Check that no two actors share a token, and that tokens never decrease."""
        effects = self.effects()
        for late in but:
            del effects[len(effects) - 1 - effects[::-1].index(late)]
        for app in APPS:
            ours = [effect for effect in effects if effect.app == app]
            tokens = [effect.token for effect in ours]
            assert tokens == sorted(tokens), ours
            actors = [
                {effect.who for effect in ours if effect.token == token} for token in set(tokens)
            ]
            assert all(len(each) == 1 for each in actors), ours


def report(text: str) -> None:
    """Print figures, which `pytest -s` shows."""
    sys.stdout.write(f"{text}\n")


@pytest.fixture
def rig(postgresql: Cluster, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield Rig(postgresql.new_database(), tmp_path, stack)


def test_a_frozen_leader_that_resumes_does_nothing_more(rig: Rig) -> None:
    first = rig.actor("first")
    rig.until_all_by("first")
    rig.actor("second")
    first.send_signal(signal.SIGSTOP)
    try:
        took_s = rig.until_all_by("second")
        before = len([effect for effect in rig.effects() if effect.who == "first"])
    finally:
        first.send_signal(signal.SIGCONT)
    report(f"SIGSTOP: another leads all apps after {took_s:.2f} s")
    assert took_s < TAKE_OVER_S
    wait_until(lambda: "lost" in rig.log("first").read_text(), DEADLINE_S, "it has lost the lease")
    seen = len(rig.effects())
    wait_until(lambda: len(rig.effects()) > seen + 200, DEADLINE_S, "the second goes on")
    # One effect may have been begun: frozen between its last check and its one system call.
    late = [effect for effect in rig.effects() if effect.who == "first"][before:]
    assert len(late) <= 1
    rig.check(but=late)


def test_another_takes_over_from_a_killed_leader(rig: Rig) -> None:
    first = rig.actor("first")
    rig.until_all_by("first")
    rig.actor("second")
    first.kill()
    took_s = rig.until_all_by("second")
    report(f"SIGKILL: another leads all apps after {took_s:.2f} s")
    assert took_s < TAKE_OVER_S
    rig.check()


def test_another_takes_over_at_once_from_a_leader_that_stops_properly(rig: Rig) -> None:
    first = rig.actor("first")
    rig.until_all_by("first")
    rig.actor("second")
    first.send_signal(signal.SIGTERM)
    took_s = rig.until_all_by("second")
    report(f"SIGTERM: another leads all apps after {took_s:.2f} s")
    assert took_s < 6.0  # a lease that was not released lasts at least two thirds of its time
    assert first.wait(DEADLINE_S) == 0
    rig.check()


# --- in one process ------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = await Database.open(url)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def db(postgresql: Cluster) -> AsyncIterator[Database]:
    async with opened(postgresql.new_database()) as database:
        yield database


async def test_one_of_two_leads_and_the_token_grows_with_every_change(db: Database) -> None:
    for number in itertools.count(1):
        one, other = Lease(db, "shop", f"one/{number}"), Lease(db, "shop", f"other/{number}")
        assert await one.hold()
        assert not await other.hold()
        assert one.token == number
        assert other.lost_to_another
        if number == 3:
            break
        await one.resign()


async def test_each_app_has_its_own_leader(db: Database) -> None:
    assert await Lease(db, "shop", "one/1").hold()
    assert await Lease(db, "blog", "other/1").hold()


async def test_a_lease_is_kept_up_by_its_own_task(db: Database) -> None:
    """Even while its holder is busy."""
    lease = Lease(db, "shop", "one/1")
    keeping = asyncio.create_task(lease.run())
    ends: set[float] = set()

    async def is_renewed_twice() -> bool:
        async with db.read() as connection:
            ends.update((await connection.execute(select(tables.lease.c.until))).scalars())
        return len(ends) >= 3

    await until(is_renewed_twice, DEADLINE_S, "the lease is renewed twice")
    assert lease.left_s() > LEASE_S / 2
    assert lease.token == 1
    keeping.cancel()


async def test_a_fence_prevents_a_takeover_before_the_transaction_ends(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigred_server.journal.lease.ANSWER_S", DEADLINE_S)
    lease = Lease(db, "shop", "one/1")
    await lease.hold()
    async with db.write() as connection:
        await lease.fence(connection)
        resigning = asyncio.create_task(lease.resign())
        done, _ = await asyncio.wait([resigning], timeout=0.3)
        assert not done
        assert not await Lease(db, "shop", "other/1").hold()
    await resigning
    assert await Lease(db, "shop", "other/2").hold()


async def test_a_fence_stops_the_transaction_of_a_former_leader(db: Database) -> None:
    lease = Lease(db, "shop", "one/1")
    await lease.hold()
    async with db.write() as connection:
        await leases.release(connection, "shop", "one/1", lease.token)
    assert await Lease(db, "shop", "other/1").hold()
    assert lease.left_s() > 0, "it does not know yet"
    with pytest.raises(LeaseLostError):
        async with db.write() as connection:
            await lease.fence(connection)


async def test_the_same_run_gets_a_new_token_after_a_gap(db: Database) -> None:
    lease = Lease(db, "shop", "one/1")
    await lease.hold()
    async with db.write() as connection:
        await leases.release(connection, "shop", "one/1", lease.token)
        assert await leases.acquire(connection, "shop", "one/1", LEASE_S) == lease.token + 1
        with pytest.raises(LeaseLostError):
            await lease.fence(connection)


async def test_an_unresponsive_database_does_not_block_the_leader(
    postgresql: Cluster, db: Database
) -> None:
    now_s = 100.0
    lease = Lease(db, "shop", "one/1", lambda: now_s)
    await lease.hold()
    now_s += LEASE_S / 2
    began_s = time.monotonic()
    with postgresql.frozen():
        assert await lease.hold()
        took_s = time.monotonic() - began_s
        now_s += LEASE_S / 2
        assert not await lease.hold()
    report(f"no answer: gave up after {took_s:.2f} s")
    assert took_s < 2 * ANSWER_S  # on its own, the driver would wait much longer
    now_s += 1.0
    assert await lease.hold()


# --- sessions -------------------------------------------------------------------------------------


async def test_two_servers_need_two_names(
    postgresql: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "bigred_server.journal.session.LEASE_S", 0.5
    )  # how long the third server waits for a name
    url = postgresql.new_database()
    async with open_session(url, "one", ["shop"]) as session:
        keeping = asyncio.create_task(session.keep())
        async with open_session(url, "other", ["shop"]):
            pass
        with pytest.raises(NotRunningError, match="another bigred server named one uses this"):
            async with open_session(url, "one", ["shop"]):
                pytest.fail("the name was taken twice")
        keeping.cancel()
    async with open_session(url, "one", ["shop"]) as again:
        assert again.run != session.run


async def test_a_server_whose_name_was_taken_meanwhile_ends(postgresql: Cluster) -> None:
    url = postgresql.new_database()
    async with open_session(url, "one", ["shop"]) as stopped:
        # Frozen for so long that another server could take its name.
        async with stopped.db.write() as connection:
            await leases.acquire(connection, "server:one", "nobody", LEASE_S)
            holder = stopped.leads["shop"]._holder  # type: ignore[attr-defined]
            await leases.release(connection, "server:one", holder, 1)
        async with open_session(url, "one", ["shop"]):
            async with asyncio.timeout(DEADLINE_S):
                with pytest.raises(NotRunningError, match="give each one its own 'name'"):
                    await stopped.keep()


async def test_a_running_server_on_postgresql_is_detected(postgresql: Cluster) -> None:
    url = postgresql.new_database()
    async with opened(url) as db:
        assert not await is_any_open(url, db)
        async with open_session(url, "one", ["shop"]):
            assert await is_any_open(url, db)
        assert not await is_any_open(url, db)


async def test_a_lease_in_a_lost_database_is_no_error(db: Database) -> None:
    async with db.write() as connection:
        await connection.execute(text("DROP TABLE lease"))
    lease = Lease(db, "shop", "one/1")
    assert not await lease.hold()
    with pytest.raises(SQLAlchemyError):
        async with db.read() as connection:
            await leases.any_held(connection)
