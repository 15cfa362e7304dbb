"""Several HAProxies in front of one app: their combined state, and commands to all of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.looks import changed, server_row

from bigred_server.errors import HaproxyAwayError, HaproxyError
from bigred_server.haproxy.backend import Backend
from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.membership import member_names
from bigred_server.haproxy.merge import MemberLook, PoolLook, merge
from bigred_server.haproxy.pool import Pool
from bigred_server.haproxy.rows import ServerRow
from bigred_server.haproxy.tables import Process
from bigred_server.rollout.core.observation import Admin, Counters, ServerLook
from bigred_server.settings import HaproxySettings
from bigred_server.testing.haproxy import FakeHaproxy, FakeServer

UP = server_row("node1", Admin.READY, up=True, fresh=True, in_flight=0, status="UP", check="L7OK")
DOWN = changed(UP, up=False, fresh=False, status="DOWN", check="L7STS")
DRAIN = changed(UP, admin=Admin.DRAIN, up=False, status="DRAIN")
STALE = changed(DRAIN, fresh=False, status="DRAIN 1/2")
BLIND = changed(DRAIN, fresh=None, check="")
MAINT = changed(UP, admin=Admin.MAINT, up=False, fresh=None, status="MAINT", check="")
HUSHED = changed(UP, checks_disabled=True, fresh=None, status="no check", check="")


# --- their combined state ------------------------------------------------------------------------


def look(*rows: ServerRow, pid: int = 1, since: str = "1", queued: int = 0) -> BackendLook:
    counters = Counters(10 * pid, pid, 2 * pid)
    servers = {row.name: row for row in rows}
    return BackendLook(Process(pid, since, "2.6"), servers, counters, queued)


def together(*rows: ServerRow) -> ServerLook:
    return merged({f"h{n}": look(row) for n, row in enumerate(rows)}).server("node1")


def merged(looks: dict[str, BackendLook], errors: tuple[str, ...] = ()) -> PoolLook:
    members = [MemberLook(at, "shop", one, member_names(one, one)) for at, one in looks.items()]
    return merge(members, errors)


@pytest.mark.parametrize(
    ("rows", "partially_up"),
    [
        ([UP], False),
        ([DOWN], False),
        ([UP, UP], False),
        ([UP, DOWN], True),
        ([UP, DRAIN], True),
        ([UP, MAINT], True),
        ([DOWN, MAINT], False),
        ([DRAIN, MAINT], False),
    ],
)
def test_a_server_enabled_on_only_some_is_partially_up(
    rows: list[ServerRow], partially_up: bool
) -> None:
    assert together(*rows).partially_up is partially_up


@pytest.mark.parametrize(
    ("rows", "admin", "up", "fresh"),
    [
        # one alone is unchanged
        ([UP], Admin.READY, True, True),
        ([DOWN], Admin.READY, False, False),
        ([DRAIN], Admin.DRAIN, False, True),
        ([STALE], Admin.DRAIN, False, False),
        ([BLIND], Admin.DRAIN, False, None),
        ([MAINT], Admin.MAINT, False, False),
        ([HUSHED], Admin.READY, True, None),
        # all say the same
        ([UP, UP], Admin.READY, True, True),
        ([DRAIN, DRAIN], Admin.DRAIN, False, True),
        ([MAINT, MAINT], Admin.MAINT, False, False),
        # the same admin state, and one is worse
        ([UP, DOWN], Admin.READY, False, False),
        ([DRAIN, STALE], Admin.DRAIN, False, False),
        ([DRAIN, BLIND], Admin.DRAIN, False, True),
        ([STALE, BLIND], Admin.DRAIN, False, False),
        ([BLIND, BLIND], Admin.DRAIN, False, None),
        ([UP, HUSHED], Admin.READY, True, True),
        # they were set differently
        ([UP, DRAIN], Admin.MIXED, True, True),
        ([UP, STALE], Admin.MIXED, True, False),
        ([DOWN, DRAIN], Admin.MIXED, False, True),
        ([UP, MAINT], Admin.MIXED, True, True),
        ([DOWN, MAINT], Admin.MIXED, False, False),
        ([DRAIN, MAINT], Admin.MIXED, False, True),
        ([STALE, MAINT], Admin.MIXED, False, False),
        ([UP, DRAIN, MAINT], Admin.MIXED, True, True),
        ([UP, UP, DOWN], Admin.READY, False, False),
    ],
)
def test_the_states_of_a_server_on_several_are_combined(
    rows: list[ServerRow], admin: Admin, up: bool, fresh: bool | None
) -> None:
    found = together(*rows)
    assert (found.admin, found.up, found.fresh) == (admin, up, fresh)
    backwards = together(*reversed(rows))
    assert (backwards.admin, backwards.up, backwards.fresh) == (admin, up, fresh)


@pytest.mark.parametrize(
    ("limits", "capacity"),
    [([5], 5), ([None], None), ([5, 7], 12), ([5, None], None), ([None, None], None)],
)
def test_capacity_is_the_sum_and_unlimited_if_any_has_no_limit(
    limits: list[int | None], capacity: int | None
) -> None:
    assert together(*(changed(UP, capacity=limit) for limit in limits)).capacity == capacity


def test_requests_in_flight_are_summed_and_one_disabled_check_is_reported() -> None:
    found = together(changed(UP, in_flight=3), changed(HUSHED, in_flight=4))
    assert found.in_flight == 7
    assert found.checks_disabled
    assert not together(UP, UP).checks_disabled
    assert (found.status, found.check) == ("UP / no check", "L7OK / ")
    assert together(UP, UP).status == "UP"


def test_the_queue_is_summed_and_the_counters_are_kept_apart() -> None:
    found = merged({"a": look(UP, pid=1, queued=2), "b": look(UP, pid=3, queued=5)})
    assert found.queued == 7
    counted = {at: one.counters for at, one in found.counters.items()}
    assert counted == {"a": Counters(10, 1, 2), "b": Counters(30, 3, 6)}


def test_while_one_cannot_be_read_everything_is_unknown() -> None:
    found = merged({"a": look(UP)}, ("b: no answer", "c: no answer"))
    assert found.server("node1") == ServerLook(admin=Admin.UNKNOWN)
    assert (found.pid, found.counters, found.problem) == (None, {}, "b: no answer; c: no answer")


def test_a_server_that_one_lacks_is_unknown_and_the_others_are_not() -> None:
    other = replace(UP, name="node2")
    found = merged({"/a.sock": look(UP, other), "/b.sock": look(other)})
    assert found.server("node2").admin is Admin.READY
    assert found.server("node1").admin is Admin.UNKNOWN
    assert found.server("node1").problem.startswith("HAProxy at /b.sock has no server 'node1'")
    assert found.problem == ""
    assert found.server("node3").problem.startswith("HAProxy has no server 'node3'")


def test_the_pid_changes_when_any_process_does() -> None:
    def number(*looks: BackendLook) -> int | None:
        return merged({str(n): one for n, one in enumerate(looks)}).pid

    seen = [
        number(look(pid=1), look(pid=2)),
        number(look(pid=1), look(pid=3)),
        number(look(pid=4), look(pid=2)),
        number(look(pid=2), look(pid=1)),
        number(look(pid=1, since="2"), look(pid=2)),  # in a container, the pid is always the same
        number(look(pid=1)),
    ]
    assert len(set(seen)) == len(seen)
    assert seen[0] == number(look(pid=1), look(pid=2))


# --- commands to all of them ---------------------------------------------------------------------


@dataclass
class Balancers:
    """Two fake HAProxies whose checks run, and the pool of both."""

    fakes: list[FakeHaproxy]
    pool: Pool
    app_is_well: bool = True

    def states(self, server: str = "node1") -> list[str]:
        return [fake.servers[server].state for fake in self.fakes]

    def commands(self, number: int = 0) -> list[str]:
        return [text for text in self.fakes[number].commands if not text.startswith("show")]

    @contextlib.asynccontextmanager
    async def checking(self) -> AsyncIterator[None]:
        async def check() -> None:
            while True:
                for fake in self.fakes:
                    for server in fake.servers.values():
                        server.check(passes=self.app_is_well)
                await asyncio.sleep(0.02)

        task = asyncio.create_task(check())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Balancers]:
    fakes = [FakeHaproxy({"node1": FakeServer(), "node2": FakeServer()}, pid=pid) for pid in (1, 2)]
    async with contextlib.AsyncExitStack() as stack:
        paths = [
            await stack.enter_async_context(fake.listen(str(tmp_path / f"{fake.pid}.sock")))
            for fake in fakes
        ]
        backends = tuple(Backend(path, "shop") for path in paths)
        yield Balancers(fakes, Pool(backends, check_s=0.5, blind_check_s=0.1))


async def test_a_look_reads_all_of_them(two: Balancers) -> None:
    two.fakes[0].queued, two.fakes[1].queued = 1, 2
    two.fakes[0].servers["node1"].maxconn = two.fakes[1].servers["node1"].maxconn = 20
    two.fakes[1].servers["node1"].scur = 4
    found = await two.pool.look()
    assert found.problem == ""
    assert found.queued == 3
    node = found.server("node1")
    assert (node.admin, node.up, node.fresh, node.in_flight) == (Admin.READY, True, True, 4)
    assert node.capacity == 40


@pytest.mark.parametrize("state", [Admin.DRAIN, Admin.MAINT])
async def test_a_state_is_set_on_all_of_them(two: Balancers, state: Admin) -> None:
    await two.pool.set_state("node1", state)
    assert two.states() == [state, state]
    assert two.states("node2") == ["ready", "ready"]


async def test_one_without_an_answer_makes_the_state_unknown_and_is_named(two: Balancers) -> None:
    two.fakes[1].silent = True
    async with asyncio.timeout(4):
        found = await two.pool.look()
    assert found.server("node1").admin is Admin.UNKNOWN
    assert found.pid is None
    assert "2.sock: no" in found.problem
    assert "1.sock" not in found.problem


async def test_a_command_ends_within_two_seconds_even_if_one_is_silent(two: Balancers) -> None:
    two.fakes[1].silent = True
    commands: list[Callable[[], Coroutine[Any, Any, object]]] = [
        lambda: two.pool.set_state("node1", Admin.MAINT),
        lambda: two.pool.cut("node1"),
        lambda: two.pool.disable_checks("node1"),
        lambda: two.pool.check(["node1"]),
    ]

    async def refused(call: Callable[[], Coroutine[Any, Any, object]]) -> None:
        with pytest.raises(HaproxyAwayError, match=r"2\.sock: .*\(done at .*1\.sock\)"):
            await call()

    async with asyncio.timeout(4):
        await asyncio.gather(*map(refused, commands))


async def test_one_that_ignores_a_command_is_named_with_those_that_followed(two: Balancers) -> None:
    two.fakes[0].deaf = True
    with pytest.raises(HaproxyError, match=r"1\.sock accepted .* shows ready \(done at .*2\.sock"):
        await two.pool.set_state("node1", Admin.MAINT)
    assert (await two.pool.look()).server("node1").admin is Admin.MIXED


async def test_one_with_too_low_a_level_is_found_before_any_command(
    two: Balancers,
) -> None:
    two.fakes[1].level = "operator"
    with pytest.raises(HaproxyError, match=r"2\.sock grants level 'operator'"):
        await two.pool.check(["node1"])
    two.fakes[1].level = "admin"
    await two.pool.check(["node1", "node2"])
    del two.fakes[0].servers["node2"]
    with pytest.raises(HaproxyError, match=r"1\.sock: backend 'shop' has no server 'node2'"):
        await two.pool.check(["node1", "node2"])


async def test_sessions_are_cut_on_all(two: Balancers) -> None:
    for fake in two.fakes:
        fake.servers["node1"].scur = 3
    await two.pool.cut("node1")
    assert [fake.servers["node1"].scur for fake in two.fakes] == [0, 0]


# --- READY, never straight out of MAINT ----------------------------------------------------------


async def test_a_proven_server_becomes_ready_at_once(two: Balancers) -> None:
    await two.pool.set_state("node1", Admin.DRAIN)
    assert await two.pool.set_state("node1", Admin.READY) == "UP"
    assert two.commands()[1:] == ["set server shop/node1 state ready"]


async def test_if_one_still_has_it_in_maint_it_must_pass_its_check_first(two: Balancers) -> None:
    two.fakes[0].servers["node1"].set("drain")
    two.fakes[1].servers["node1"].set("maint")
    async with two.checking():
        await two.pool.set_state("node1", Admin.READY)
    assert two.states() == ["ready", "ready"]
    assert two.fakes[1].servers["node1"].health == two.fakes[1].servers["node1"].full
    assert [text.rpartition(" ")[2] for text in two.commands(1)] == ["maint", "drain", "ready"]
    assert [text.rpartition(" ")[2] for text in two.commands(0)] == ["ready"]


async def test_an_unhealthy_app_stays_out_everywhere(two: Balancers) -> None:
    two.fakes[0].servers["node1"].set("drain")
    two.fakes[1].servers["node1"].set("maint")
    two.app_is_well = False
    async with two.checking():
        with pytest.raises(HaproxyError, match=r"not passed its check in 0\.5 s: DOWN L7STS"):
            await two.pool.set_state("node1", Admin.READY)
    assert two.states() == ["drain", "drain"]


async def test_without_a_check_there_is_a_pause(two: Balancers) -> None:
    for fake in two.fakes:
        fake.servers["node1"] = FakeServer(checked=False, state="maint")
    begun_s = asyncio.get_running_loop().time()
    await two.pool.set_state("node1", Admin.READY)
    assert asyncio.get_running_loop().time() - begun_s >= 0.1
    assert two.states() == ["ready", "ready"]


# --- disabled checks -----------------------------------------------------------------------------


async def test_an_unchecked_server_stays_up_whatever_its_app_says(two: Balancers) -> None:
    await two.pool.disable_checks("node1")
    for fake in two.fakes:
        for server in fake.servers.values():
            server.check(passes=False)
            server.check(passes=False)
    found = await two.pool.look()
    node = found.server("node1")
    assert (node.up, node.checks_disabled, node.fresh, node.status) == (
        True,
        True,
        None,
        "no check",
    )
    assert not found.server("node2").up


async def test_ready_enables_the_check_of_an_unchecked_server(two: Balancers) -> None:
    await two.pool.disable_checks("node1")
    await two.pool.set_state("node1", Admin.READY)
    assert not (await two.pool.look()).server("node1").checks_disabled
    assert "set server shop/node1 state maint" not in two.commands()


@pytest.mark.parametrize("state", [Admin.DRAIN, Admin.MAINT])
async def test_a_check_disabled_before_is_on_again_when_the_server_comes_back(
    two: Balancers, state: Admin
) -> None:
    await two.pool.disable_checks("node1")
    for fake in two.fakes:
        fake.servers["node1"].set(state)  # by hand, bypassing the pool
    two.app_is_well = False
    async with two.checking():
        with pytest.raises(HaproxyError, match="has not passed its check"):
            await two.pool.set_state("node1", Admin.READY)
        two.app_is_well = True
        await two.pool.set_state("node1", Admin.READY)
    assert two.states() == ["ready", "ready"]
    assert not (await two.pool.look()).server("node1").checks_disabled


async def test_a_server_without_a_check_needs_no_disabled_check(two: Balancers) -> None:
    for fake in two.fakes:
        fake.servers["node1"] = FakeServer(checked=False)
    await two.pool.disable_checks("node1")
    await two.pool.enable_checks("node1")
    assert two.commands() == []
    assert not (await two.pool.look()).server("node1").checks_disabled


async def test_disabling_a_check_without_effect_is_an_error(two: Balancers) -> None:
    two.fakes[1].deaf = True
    with pytest.raises(HaproxyError, match=r"2\.sock was told to disable the check of shop/node1"):
        await two.pool.disable_checks("node1")


async def test_one_socket_is_a_pool_too(two: Balancers) -> None:
    address = two.pool.backends[0].address
    pool = Pool.of(HaproxySettings(socket=address, backend="shop"))
    assert (await pool.look()).server("node1").admin is Admin.READY
    both = Pool.of(HaproxySettings(socket=(address, "/none.sock"), backend="shop"))
    found: PoolLook = await both.look()
    assert "/none.sock can't be reached" in found.problem
