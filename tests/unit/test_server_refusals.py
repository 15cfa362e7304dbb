"""What is unknown or late is refused without a look, and one look serves all who ask."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import func, select
from tests.support.clocks import clocks

from bigred_broker.messages import Answer, BoxEvent, EventType, Refusal
from bigred_server.clock import boot_clock_s
from bigred_server.journal import armings, deployments, releases
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.database import Database
from bigred_server.journal.tables import answer as answers
from bigred_server.journal.tables import arming as arming_table
from bigred_server.model.release import Release, Stage
from bigred_server.requests.gates import GateState
from bigred_server.requests.preflight import Preflight, PreflightLook
from bigred_server.requests.presses import Presses
from bigred_server.requests.shared_preflight import SHARED_S, SharedPreflight
from bigred_server.settings import BoxSettings

BOXES = {"office": BoxSettings(app="shop")}
DEADLINE_S = 10.0


def event(
    kind: EventType, number: int = 1, arming: str | None = None, ago_s: float = 0.0
) -> BoxEvent:
    return BoxEvent(
        event_type=kind,
        id=f"e-{number}",
        seq=number,
        boot="b-1",
        arming=arming,
        clocks=clocks(ago_s=ago_s),
    )


@dataclass
class Shop:
    """An app whose nodes are all well; a look moves the server's clock on."""

    nodes: int = 3
    countdown_s: float = 0.0
    takes_s: float = 0.0
    ahead_s: float = 0.0
    looks: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def look(self) -> PreflightLook:
        self.looks += 1
        self.ahead_s += self.takes_s
        return self

    async def state(self, db: AsyncConnection) -> GateState:
        known = await releases.since_live(db, "shop")
        return GateState("shop", known, healthy=3, total=3, min_healthy=2)

    def clock_s(self) -> float:
        return boot_clock_s() + self.ahead_s


def presses(db: Database, shop: Shop, dice: Callable[[], float] = lambda: 1.0) -> Presses:
    started: list[str] = []
    return Presses(BOXES, db, {"shop": shop}, "run-1", started.append, shop.clock_s, dice)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "bigred.db")
    ready = Release("shop", "1" * 64, "1.1.0", "1.1.0", Stage.READY, 2.0)
    async with database.write() as connection:
        await releases.add(connection, ready)
    yield database
    await database.close()


@pytest.mark.parametrize(
    ("kind", "box", "ago_s"),
    [
        *((kind, "stranger", 0.0) for kind in EventType),
        *((kind, "office", 15.0) for kind in EventType if kind is not EventType.LID_CLOSE),
    ],
)
async def test_what_is_unknown_or_late_touches_neither_the_journal_nor_the_nodes(
    kind: EventType, box: str, ago_s: float
) -> None:
    shop = Shop()
    # There is no journal: whoever asked for it would fail.
    reply = await presses(cast(Database, None), shop).answer(box, event(kind, ago_s=ago_s))
    assert shop.looks == 0
    asked = kind in (EventType.LID_OPEN, EventType.PRESS)
    assert (reply is not None) is asked
    assert reply is None or reply.code is (Refusal.STALE if ago_s else Refusal.NOT_ALLOWED)


async def test_a_press_that_became_late_while_it_was_answered_has_no_effect(db: Database) -> None:
    shop = Shop()
    server = presses(db, shop)
    armed = await server.answer("office", event(EventType.LID_OPEN))
    assert armed is not None
    shop.takes_s = 5.0
    late = await server.answer("office", event(EventType.PRESS, 2, armed.arming))
    assert late is not None
    assert (late.answer, late.code) == (Answer.REFUSED, Refusal.STALE)
    async with db.read() as connection:
        assert await deployments.newest(connection, None) == []
        assert await armings.answered(connection, "office", "e-2") is None


async def test_of_each_box_a_bounded_number_of_answers_and_armings_is_kept(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(armings, "KEPT", 10)
    server = presses(db, Shop(), itertools.cycle([1.0, 0.5, 0.0]).__next__)
    for number in range(42):
        reply = await server.answer("office", event(EventType.LID_OPEN, number))
        assert reply is not None
        assert reply.answer is Answer.ARMED
    async with db.read() as connection:
        for table in (answers, arming_table):
            count = (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            assert count == 10
        assert await armings.answered(connection, "office", "e-41") is not None
        assert await armings.answered(connection, "office", "e-0") is None


# --- one look for all ----------------------------------------------------------------------------


@dataclass
class SlowShop(Shop):
    """Its look takes as long as the test wants."""

    fails: bool = False

    async def look(self) -> PreflightLook:
        self.looks += 1
        await self.ready.wait()
        if self.fails:
            raise OSError("a fault of the product")
        return self


def shared(shop: Preflight) -> tuple[SharedPreflight, list[float]]:
    """Return a shared preflight, and its clock."""
    now = [100.0]
    return SharedPreflight(shop, lambda: now[0]), now


async def together(one: SharedPreflight, count: int) -> "list[asyncio.Task[Any]]":
    tasks = [asyncio.create_task(one.look()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_one_look_serves_all_who_ask_within_a_second() -> None:
    shop = SlowShop()
    one, now = shared(shop)
    tasks = await together(one, 50)
    shop.ready.set()
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*tasks)
        now[0] += SHARED_S
        await one.look()
    assert shop.looks == 1
    now[0] += 0.1
    await one.look()
    assert shop.looks == 2


async def test_who_gives_up_does_not_end_the_look_of_the_others() -> None:
    shop = SlowShop()
    one, _ = shared(shop)
    first, second = await together(one, 2)
    first.cancel()
    shop.ready.set()
    async with asyncio.timeout(DEADLINE_S):
        assert await second is shop


async def test_a_look_that_failed_is_not_shared() -> None:
    shop = SlowShop(fails=True)
    shop.ready.set()
    one, _ = shared(shop)
    with pytest.raises(OSError, match="a fault"):
        await one.look()
    shop.fails = False
    assert await one.look() is shop
