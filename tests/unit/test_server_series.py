"""Business metrics and probes: where numbers come from, and which requests they need."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from tests.support.jvm import SEEN

from bigred_broker.settings import BrokerSettings
from bigred_server.errors import NodeError, SeriesError
from bigred_server.journal import series as journal
from bigred_server.journal import spans as kept
from bigred_server.journal.database import Database
from bigred_server.judge.look import Arm, Span
from bigred_server.settings.series import SeriesSettings
from bigred_server.telemetry import sources
from bigred_server.telemetry.baseline_store import BaselineStore
from bigred_server.telemetry.probes import Probes
from bigred_server.telemetry.series import SeriesWatch
from bigred_server.telemetry.subscriptions import Subscriptions
from bigred_server.tomcat import vitals

NOTHING_HEARD = Subscriptions(BrokerSettings(), "x", {})


def answering(*bodies: object) -> httpx2.AsyncClient:
    given = iter(bodies)

    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=next(given))

    return httpx2.AsyncClient(transport=httpx2.MockTransport(answer))


# --- sources -------------------------------------------------------------------------------------


async def test_a_query_selects_a_number(tmp_path: Path) -> None:
    given = SeriesSettings(sql="SELECT 40 + 2", database=f"sqlite:///{tmp_path}/x.db")
    async with answering() as http:
        assert await sources.read(given, http) == 42.0
        broken = given.model_copy(update={"sql": "SELECT nothing FROM nowhere"})
        with pytest.raises(SeriesError, match="the query failed"):
            await sources.read(broken, http)


VECTOR = {"status": "success", "data": {"resultType": "vector", "result": [{"value": [1, "7"]}]}}
SCALAR = {"status": "success", "data": {"resultType": "scalar", "result": [1, "8"]}}
NOTHING = {"status": "success", "data": {"resultType": "vector", "result": []}}


async def test_prometheus_is_asked_for_a_number() -> None:
    given = SeriesSettings(prometheus="http://127.0.0.1:9090", query="sum(orders)")
    async with answering(VECTOR, SCALAR, NOTHING, {"status": "error"}) as http:
        assert await sources.read(given, http) == 7.0
        assert await sources.read(given, http) == 8.0
        for _ in range(2):
            with pytest.raises(SeriesError, match="without a number"):
                await sources.read(given, http)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"command": ("x",), "sql": "SELECT 1", "database": "sqlite://"},
        {"sql": "SELECT 1"},
        {"prometheus": "http://127.0.0.1:9090"},
    ],
)
def test_a_series_has_one_source_and_all_its_settings(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="needs"):
        SeriesSettings.model_validate(given)


# --- MQTT ----------------------------------------------------------------------------------------

TOTAL = SeriesSettings(mqtt="shop/orders")
INSIDE = SeriesSettings(mqtt="shop/orders", pointer="/by~1day/1/n", counts="since")


def test_messages_contain_a_total_or_an_increment() -> None:
    heard = Subscriptions(BrokerSettings(), "x", {"total": TOTAL, "inside": INSIDE})
    with pytest.raises(SeriesError, match="no message on 'shop/orders' yet"):
        heard.read("total")
    for number in (3, 4):
        heard.receive("shop/orders", json.dumps({"by/day": [0, {"n": number}]}).encode())
    heard.receive("other", b"99")
    assert (heard.read("inside"), heard.read("inside")) == (7.0, 0.0)
    with pytest.raises(SeriesError, match="no number in"):
        heard.read("total")
    heard.receive("shop/orders", b"41")
    assert heard.read("total") == 41.0


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"many", b"true", b"[]", b"\xff", b'{"n": 1}'),
        *(b"[" * 16_000, b"NaN", b"Infinity", b"1" + b"0" * 400),
    ],
)
def test_a_message_without_a_number_is_reported_and_does_not_count_as_zero(payload: bytes) -> None:
    heard = Subscriptions(BrokerSettings(), "x", {"total": TOTAL})
    heard.receive("shop/orders", payload)
    with pytest.raises(SeriesError, match="no number in"):
        heard.read("total")


# --- observing -----------------------------------------------------------------------------------


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    found = await Database.open(tmp_path / "bigred.db")
    yield found
    await found.close()


async def test_bins_are_kept_in_the_journal_and_judged_in_a_deployment(db: Database) -> None:
    async with answering() as http:
        watch = SeriesWatch("shop", {}, db, http, NOTHING_HEARD)
        for number in range(12):
            await watch._store("orders", 1000 + 2 * number, 2, 10.0)
        assert watch.collect() == []
        watch.began_at = 1024.0
        await watch._store("orders", 1024, 2, 3.0)
        (one,) = watch.collect()
        assert (one.seen, one.expected, one.reference) == (
            3.0,
            10.0,
            "12 bins before the deployment",
        )
    async with db.read() as connection:
        assert len(await journal.of(connection, "shop", "orders")) == 13


# --- the JVMs' usage -----------------------------------------------------------------------------


async def test_the_next_server_knows_what_jvms_used_at_every_age(db: Database) -> None:
    spans = [Span("n", 10.0 * n, 10.0, 100, 1.0, 0.0, 1, None, 9, 9) for n in range(1, 9)]
    first = BaselineStore("shop", db)
    await first.sync()
    first.add("old", spans[:4])
    await first.sync()
    first.add("old", spans[4:])
    await first.sync()
    second = BaselineStore("shop", db)
    await second.sync()
    assert second.ages.like("old", spans[4]) == spans[3:6]
    other = BaselineStore("till", db)
    await other.sync()
    assert other.ages.like("old", spans[4]) == []
    # New values at the other are read when a deployment begins.
    first.add("new", spans)
    await first.sync()
    second.stale = True
    await second.sync()
    assert second.ages.like("new", spans[0]) == spans[:2]


async def test_the_journal_keeps_the_newest_spans_and_tolerates_unreadable_ones(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigred_server.journal.spans._KEPT", 3)
    for number in range(6):
        async with db.write() as connection:
            await kept.add(connection, "shop", [("old", {"number": number})])
    async with db.read() as connection:
        found = await kept.of(connection, "shop")
    assert [given["number"] for _, given in found] == [3, 4, 5]
    reader = BaselineStore("shop", db)
    await reader.sync()
    assert not reader.stale


# --- probes --------------------------------------------------------------------------------------


async def test_both_cohorts_are_probed_with_the_same_page_in_turn() -> None:
    asked: list[str] = []
    enough = asyncio.Event()

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.method} {request.url.host}{request.url.path}")
        assert request.headers["X-Bigred-Probe"] == "1"
        if len(asked) >= 8:
            enough.set()
        return httpx2.Response(500 if request.url.host == "new" else 200)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        urls = {"a": "http://new", "b": "http://old"}
        probes = Probes(http, urls, 20.0, ("/shop/",), canaries=["a"], baselines=["b"])
        running = asyncio.create_task(probes.run())
        await asyncio.sleep(0.3)
        assert asked == []
        probes.wanted = True
        async with asyncio.timeout(5):
            await enough.wait()
        running.cancel()
    pair, signs = probes.collect()
    assert pair.canary.requests == pair.canary.hits >= 3
    assert pair.baseline.hits == 0
    assert (signs.slower, signs.faster) == (0, 0)
    assert asked[:4] == ["GET old/shop/", "GET new/shop/", "GET new/shop/", "GET old/shop/"]
    assert probes.collect()[0].canary == Arm()


# --- a JVM ---------------------------------------------------------------------------------------


def test_a_jvm_is_read_and_two_moments_are_a_span() -> None:
    first = vitals.read(SEEN.splitlines())
    assert (first.started_at, first.at, first.cpu_s, first.gc_s) == (1000.0, 1060.0, 1.05, 0.032)
    assert (first.heap, first.heap_full, first.heap_max, first.threads) == (
        6383800,
        None,
        97320960,
        14,
    )
    later = SEEN.replace("60000", "70000").replace("1050000000", "1350000000")
    found = vitals.span("n", first, vitals.read(later.splitlines()), 100)
    assert found is not None
    assert (found.age_s, found.span_s, found.requests) == (70.0, 10.0, 100)
    assert found.cpu_s == pytest.approx(0.3)
    restarted = SEEN.replace("1000000", "1050000").replace("60000", "20000")
    assert vitals.span("n", first, vitals.read(restarted.splitlines()), 100) is None


@pytest.mark.parametrize("text", ["", "OK - Number of results: 0", json.dumps({"a": 1})])
def test_an_answer_without_a_jvm_is_reported(text: str) -> None:
    with pytest.raises(NodeError, match="can't be read"):
        vitals.read(text.splitlines())
