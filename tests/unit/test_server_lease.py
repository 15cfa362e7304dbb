"""What a server assumes about its lease, and what it does when the lease ends. No database."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy.exc import OperationalError

from bigred_server.errors import LeaseLostError
from bigred_server.journal import leases
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.leadership import Leadership
from bigred_server.journal.lease import ANSWER_S, Lease
from bigred_server.journal.lease_state import LEASE_S, LeaseState
from bigred_server.journal.sqlite_leadership import SqliteLeadership

DEADLINE_S = 5.0
LED = LeaseState().granted(3, 100.0)


# --- the lease state: pure -----------------------------------------------------------------------


def test_nobody_leads_before_the_database_says_so() -> None:
    state = LeaseState()
    assert (state.left_s(-1e9), state.left_s(0.0)) == (0.0, 0.0)
    assert state.request_at_s == -math.inf


def test_a_lease_counts_from_its_request() -> None:
    answered_at_s = 102.0
    assert LED.left_s(answered_at_s) == LEASE_S - 2.0
    assert LED.left_s(100.0 + LEASE_S) == 0.0


def test_a_lease_is_renewed_when_a_third_is_gone() -> None:
    assert LED.request_at_s == pytest.approx(100.0 + LEASE_S / 3)


def test_an_answer_that_arrives_after_its_lease_has_expired_grants_nothing() -> None:
    assert LeaseState().granted(1, 100.0).left_s(100.0 + 3 * LEASE_S) == 0.0


def test_without_an_answer_a_lease_lasts_as_long_as_was_granted() -> None:
    state = LED.unanswered(104.0)
    assert (state.token, state.until_s) == (LED.token, LED.until_s)
    assert 104.0 < state.request_at_s < 105.0


def test_a_lease_survives_two_missing_answers() -> None:
    state = LED
    for _ in range(2):
        state = state.unanswered(state.request_at_s + ANSWER_S)
    assert state.left_s(state.request_at_s) > 1.0


def test_a_lease_that_another_server_has_ends_at_once() -> None:
    state = LED.refused(104.0)
    assert state.left_s(104.0) == 0.0
    assert state.lost_to_another
    assert not state.granted(5, 105.0).lost_to_another


def test_a_server_that_has_resigned_never_asks_again() -> None:
    state = LED.resigned()
    assert state.left_s(101.0) == 0.0
    assert state.request_at_s == math.inf


# --- the lease, on a fake database ---------------------------------------------------------------


@dataclass
class Fake:
    """A database, a clock, and the answers of the table of leases."""

    now_s: float = 100.0
    answer: int | Exception | None = 1
    asked: int = 0
    released: list[int] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def write_concurrently(self) -> AsyncIterator[None]:
        yield None

    async def acquire(self, _db: None, _app: str, _holder: str, _lease_s: float) -> int | None:
        self.asked += 1
        await self.go_on.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def release(self, _db: None, _app: str, _holder: str, token: int) -> None:
        self.released.append(token)


AWAY = OperationalError("SELECT", {}, ConnectionError("the database is away"))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    fake.go_on.set()
    monkeypatch.setattr(leases, "acquire", fake.acquire)
    monkeypatch.setattr(leases, "release", fake.release)
    return fake


def lease_of(fake: Fake) -> Lease:
    return Lease(fake, "shop", "one/1", lambda: fake.now_s)  # type: ignore[arg-type]


async def test_holding_asks_only_when_it_is_due(fake: Fake) -> None:
    lease = lease_of(fake)
    assert lease.left_s() == 0.0
    assert await lease.hold()
    assert (lease.token, lease.left_s()) == (1, LEASE_S)
    fake.now_s += LEASE_S / 3 - 0.1
    assert await lease.hold()
    assert fake.asked == 1
    fake.now_s += 0.2
    assert await lease.hold()
    assert (fake.asked, lease.left_s()) == (2, LEASE_S)


async def test_a_lease_ends_by_the_clock_alone_while_the_database_is_away(fake: Fake) -> None:
    lease = lease_of(fake)
    assert await lease.hold()
    fake.answer = AWAY
    fake.now_s += LEASE_S - 1.0
    assert await lease.hold()
    fake.now_s += 1.0
    assert not await lease.hold()
    assert not lease.lost_to_another


async def test_holding_does_not_wait_for_another_tasks_answer(fake: Fake) -> None:
    lease = lease_of(fake)
    assert await lease.hold()
    fake.now_s += 4.0
    fake.go_on.clear()
    asking = asyncio.create_task(lease.hold())
    await asyncio.sleep(0)
    assert await lease.hold()
    assert fake.asked == 2
    fake.go_on.set()
    assert await asking


async def test_a_guard_is_cancelled_at_once_when_another_has_the_lease(fake: Fake) -> None:
    lease = lease_of(fake)
    await lease.hold()
    inside, went_on = asyncio.Event(), False

    async def action() -> None:
        nonlocal went_on
        async with lease.guard():
            inside.set()
            await asyncio.sleep(DEADLINE_S)
            went_on = True

    acting = asyncio.create_task(action())
    await inside.wait()
    fake.now_s += 4.0
    fake.answer = None
    assert not await lease.hold()
    with pytest.raises(LeaseLostError, match="no longer leads shop"):
        await acting
    assert not went_on
    assert lease.lost_to_another


async def test_a_guard_of_an_earlier_token_ends_though_the_lease_is_ours_again(fake: Fake) -> None:
    lease = lease_of(fake)
    await lease.hold()

    async def action() -> None:
        async with lease.guard():
            await asyncio.sleep(DEADLINE_S)

    acting = asyncio.create_task(action())
    await asyncio.sleep(0)
    fake.now_s += 2 * LEASE_S
    fake.answer = 2
    assert await lease.hold()
    with pytest.raises(LeaseLostError):
        await acting


async def test_a_guard_lasts_as_long_as_its_lease_is_renewed(fake: Fake) -> None:
    lease = lease_of(fake)
    await lease.hold()
    fake.now_s += LEASE_S - 0.2
    done = asyncio.Event()

    async def action() -> None:
        async with lease.guard():
            await done.wait()

    acting = asyncio.create_task(action())
    await asyncio.sleep(0)
    assert await lease.hold()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(acting), 0.4)
    done.set()
    await acting


async def test_a_guard_ends_when_its_lease_is_not_renewed(fake: Fake) -> None:
    lease = lease_of(fake)
    await lease.hold()
    fake.now_s += LEASE_S - 0.1
    began_s = asyncio.get_running_loop().time()
    with pytest.raises(LeaseLostError):
        async with lease.guard():
            await asyncio.sleep(DEADLINE_S)
    assert asyncio.get_running_loop().time() - began_s < 1.0


async def test_a_guard_does_not_even_begin_after_the_lease(fake: Fake) -> None:
    lease = lease_of(fake)
    await lease.hold()
    fake.now_s += LEASE_S
    with pytest.raises(LeaseLostError):
        async with lease.guard():
            pytest.fail("it began")


async def test_a_timeout_of_the_action_itself_is_not_a_lost_lease(fake: Fake) -> None:
    lease = lease_of(fake)
    await lease.hold()
    with pytest.raises(TimeoutError):
        async with lease.guard(), asyncio.timeout(0.01):
            await asyncio.sleep(DEADLINE_S)


async def test_a_fence_does_not_query_the_database_once_the_lease_has_expired(fake: Fake) -> None:
    lease = lease_of(fake)
    await lease.hold()
    fake.now_s += LEASE_S
    nothing: AsyncConnection = None  # type: ignore[assignment]
    with pytest.raises(LeaseLostError):
        await lease.fence(nothing)


async def test_resigning_releases_the_lease_and_ends_it_here(fake: Fake) -> None:
    lease = lease_of(fake)
    await lease.hold()
    await lease.resign()
    fake.now_s += 2 * LEASE_S
    assert not await lease.hold()
    assert (fake.released, fake.asked) == ([1], 1)


async def test_a_server_that_does_not_lead_releases_nothing(fake: Fake) -> None:
    lease = lease_of(fake)
    fake.answer = None
    await lease.hold()
    await lease.resign()
    assert fake.released == []


# --- on SQLite -----------------------------------------------------------------------------------


async def test_the_only_server_leads_always() -> None:
    sole: Leadership = SqliteLeadership()
    nothing: AsyncConnection = None  # type: ignore[assignment]
    assert await sole.hold()
    assert (sole.token, sole.left_s()) == (1, math.inf)
    await sole.fence(nothing)
    async with sole.guard():
        pass


def test_a_lease_is_a_leadership() -> None:
    def wants(_: Leadership) -> None: ...

    wants(lease_of(Fake()))
