"""The doorbell: deployments and commands that another process wrote to the journal."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from tests.support.until import until

from bigred_server.journal import deployments, releases
from bigred_server.journal.database import Database
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage
from bigred_server.requests.doorbell import Doorbell

_NOTICED_S = 10.0


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Database]:
    """Provide the journal as another process has it open."""
    database = await Database.open(tmp_path / "bigred.db")
    yield database
    await database.close()


@pytest.fixture
async def woken(tmp_path: Path, other: Database) -> AsyncIterator[list[str]]:
    """Provide the apps that a running doorbell has woken."""
    database = await Database.open(tmp_path / "bigred.db")
    apps: list[str] = []
    running = asyncio.create_task(Doorbell(database, apps.append).run())
    yield apps
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await database.close()


async def begin(db: Database, app: str) -> None:
    release = Release(app, "5" * 64, "2.0", "2.0", Stage.READY, 1.0)
    record = DeploymentRecord(f"d-{app}", app, release.digest, None, "ada", time.time())
    async with db.write() as connection:
        await releases.add(connection, release)
        await deployments.add(connection, record)


async def test_a_deployment_that_another_process_begins_is_noticed(
    other: Database, woken: list[str]
) -> None:
    await begin(other, "shop")
    await until(lambda: woken == ["shop"], _NOTICED_S, "the shop was woken")
    await begin(other, "blog")
    await until(lambda: woken == ["shop", "blog"], _NOTICED_S, "the blog was woken")


async def test_a_command_that_another_process_gives_is_noticed(
    other: Database, woken: list[str]
) -> None:
    await begin(other, "shop")
    await until(lambda: woken == ["shop"], _NOTICED_S, "the shop was woken")
    async with other.write() as connection:
        await deployments.change(connection, "d-shop", command=Command.HOLD)
    await until(lambda: woken == ["shop", "shop"], _NOTICED_S, "the shop was woken again")


async def test_other_writes_wake_nobody(other: Database, woken: list[str]) -> None:
    await begin(other, "shop")
    await until(lambda: woken == ["shop"], _NOTICED_S, "the shop was woken")
    async with other.write() as connection:
        await deployments.change(connection, "d-shop", reason="it rains")
    await begin(other, "blog")
    await until(lambda: "blog" in woken, _NOTICED_S, "the blog was woken")
    assert woken == ["shop", "blog"]


async def test_a_journal_that_can_not_be_read_for_now_is_read_again(
    other: Database, woken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigred_server.requests.doorbell._PAUSE_S", 0.01)
    asked_for, failures = deployments.asked_for, list[int]()

    async def fails_once(*arguments: object) -> object:
        if not failures:
            failures.append(1)
            raise OperationalError("SELECT", {}, OSError("disk I/O error"))
        return await asked_for(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(deployments, "asked_for", fails_once)
    await begin(other, "shop")
    await until(lambda: bool(failures), _NOTICED_S, "a look has failed")
    await begin(other, "blog")
    await until(lambda: {*woken} == {"shop", "blog"}, _NOTICED_S, "both were woken")
