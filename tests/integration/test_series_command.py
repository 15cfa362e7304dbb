"""Business metrics from a command: its output is a number, or is reported and not taken as 0."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from bigred_broker.settings import BrokerSettings
from bigred_server.errors import SeriesError
from bigred_server.journal.database import Database
from bigred_server.settings.series import SeriesSettings
from bigred_server.telemetry import sources
from bigred_server.telemetry.series import SeriesWatch
from bigred_server.telemetry.subscriptions import Subscriptions

NOTHING_HEARD = Subscriptions(BrokerSettings(), "x", {})


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient() as client:
        yield client


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    found = await Database.open(tmp_path / "bigred.db")
    yield found
    await found.close()


def printing(code: str, **more: object) -> SeriesSettings:
    return SeriesSettings.model_validate({"command": (sys.executable, "-c", code), **more})


async def test_a_command_prints_a_number(http: httpx2.AsyncClient) -> None:
    assert await sources.read(printing("print(' 42.5 ')"), http) == 42.5


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("print('many')", "'many' is not a number"),
        ("raise SystemExit(3)", "failed: exit code 3"),
        ("import time; time.sleep(60)", "no number within 0.5 s"),
    ],
)
async def test_a_command_without_a_number_is_reported_and_ends(
    code: str, says: str, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "DEADLINE_S", 0.5)
    with pytest.raises(SeriesError, match=says):
        await sources.read(printing(code), http)


async def test_a_total_counts_by_its_growth_and_a_failure_is_not_zero(
    db: Database, http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    total = tmp_path / "total"
    code = f"print(open({str(total)!r}).read())"
    watch = SeriesWatch("shop", {}, db, http, NOTHING_HEARD)
    found = []
    for text in ("100", "107", "broken", "120", "130", "4", "9"):
        total.write_text(text)
        found.append(await watch._sample("orders", printing(code)))
    assert found == [None, 7.0, None, None, 10.0, None, 5.0]
    since = printing(code, counts="since")
    assert await watch._sample("orders", since) == 9.0
