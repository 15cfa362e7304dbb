"""Two real HAProxies in front of the same servers: set alike, and believed only together."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest
from tests.support.until import until
from tests.support.web import Web, web

from bigred_broker.program import free_port
from bigred_server.errors import HaproxyError
from bigred_server.haproxy import runtime
from bigred_server.haproxy.backend import Backend
from bigred_server.haproxy.configuration import BackendConfig as Served
from bigred_server.haproxy.instance import HaproxyInstance
from bigred_server.haproxy.merge import PoolLook
from bigred_server.haproxy.pool import Pool
from bigred_server.rollout.core.observation import Admin

_DEADLINE_S = 10.0
_MAXCONN = 2


@dataclass
class Rig:
    """The pair, the web servers behind it, and the pool of both."""

    pair: list[HaproxyInstance]
    webs: list[Web]
    pool: Pool

    def ask(self, which: int = 0, times: int = 8) -> set[str]:
        url = f"http://127.0.0.1:{self.pair[which].port}/page"
        return {httpx2.get(url, timeout=5).text for _ in range(times)}

    def impatient(self) -> Pool:
        """Return the pool with a short patience for checks."""
        return replace(self.pool, check_s=4)

    async def command(self, which: int, command: str) -> None:
        await runtime.set_command(str(self.pair[which].admin_socket), command)

    async def look_until(self, so: Callable[[PoolLook], bool]) -> PoolLook:
        looks: list[PoolLook] = []

        async def is_so() -> bool:
            looks.append(await self.pool.look())
            return so(looks[-1])

        await until(is_so, _DEADLINE_S, "the pool is as awaited", lambda: looks[-1:])
        return looks[-1]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with contextlib.ExitStack() as stack:
        webs = [stack.enter_context(web(name)) for name in ("n1", "n2")]
        served = Served(
            "shop", tuple((one.name, one.port) for one in webs), "/health", maxconn=_MAXCONN
        )
        pair = [HaproxyInstance(tmp_path / name, free_port(), served) for name in ("a", "b")]
        for one in pair:
            stack.enter_context(one.run())
        backends = tuple(Backend(str(one.admin_socket), "shop") for one in pair)
        yield Rig(pair, webs, Pool(backends, check_s=10))


def all_up(look: PoolLook) -> bool:
    return all(look.server(name).up and look.server(name).fresh for name in ("n1", "n2"))


async def test_a_server_leaves_and_comes_back_on_both(rig: Rig) -> None:
    await rig.pool.check(["n1", "n2"])
    await rig.look_until(all_up)
    await rig.pool.set_state("n1", Admin.DRAIN)
    await rig.pool.set_state("n1", Admin.MAINT)
    assert (rig.ask(0), rig.ask(1)) == ({"n2"}, {"n2"})
    assert (await rig.pool.look()).server("n1").admin is Admin.MAINT
    await rig.pool.set_state("n1", Admin.DRAIN)
    await rig.look_until(lambda look: look.server("n1").fresh is True)
    assert await rig.pool.set_state("n1", Admin.READY) == "UP"
    assert (rig.ask(0), rig.ask(1)) == ({"n1", "n2"}, {"n1", "n2"})


async def test_retries_are_counted_at_the_server_that_failed(rig: Rig) -> None:
    await rig.look_until(all_up)
    rig.webs[0].breaks_off = True
    assert rig.ask(0) == {"n2"}
    look = await rig.look_until(lambda seen: seen.server("n1").served.retried > 0)
    assert look.server("n1").served.retried == len(rig.webs[0].served)
    assert look.server("n2").served.retried == 0


async def test_a_server_set_differently_on_one_is_mixed(rig: Rig) -> None:
    await rig.look_until(all_up)
    await rig.command(1, "set server shop/n1 state maint")
    look = await rig.pool.look()
    assert (look.server("n1").admin, look.server("n1").up) == (Admin.MIXED, True)
    assert look.server("n2").admin is Admin.READY


async def test_no_user_reaches_a_bad_app_that_comes_out_of_maint(rig: Rig) -> None:
    await rig.look_until(all_up)
    await rig.pool.set_state("n1", Admin.MAINT)
    rig.webs[0].health = 503
    rig.webs[0].served.clear()
    ready = asyncio.create_task(rig.impatient().set_state("n1", Admin.READY))
    while not ready.done():
        assert await asyncio.to_thread(rig.ask, 0) == {"n2"}
        assert await asyncio.to_thread(rig.ask, 1) == {"n2"}
    with pytest.raises(HaproxyError, match="has not passed its check in 4 s: DOWN L7STS"):
        await ready
    assert rig.webs[0].served == []
    rig.webs[0].health = 200
    await rig.pool.set_state("n1", Admin.READY)
    assert all("n1" in rig.ask(which) for which in (0, 1))


async def test_while_one_is_absent_the_state_is_unknown_and_commands_name_it(rig: Rig) -> None:
    await rig.look_until(all_up)
    away = Backend(str(rig.pair[1].folder / "gone.sock"), "shop")
    pool = Pool((rig.pool.backends[0], away))
    look = await pool.look()
    assert look.server("n1").admin is Admin.UNKNOWN
    assert "gone.sock can't be reached" in look.problem
    with pytest.raises(HaproxyError, match=r"gone\.sock can't be reached.*\(done at .*a/admin"):
        await pool.set_state("n1", Admin.MAINT)


async def test_an_unchecked_server_keeps_its_users_though_its_check_would_fail(rig: Rig) -> None:
    await rig.look_until(all_up)
    await rig.pool.disable_checks("n1")
    rig.webs[0].health = rig.webs[1].health = 503
    # n2's checks on both see it: as many have been skipped for n1.
    look = await rig.look_until(
        lambda seen: not (seen.server("n2").up or seen.server("n2").partially_up)
    )
    node = look.server("n1")
    assert (node.up, node.checks_disabled, node.status) == (True, True, "no check")
    assert (rig.ask(0), rig.ask(1)) == ({"n1"}, {"n1"})
    await rig.pool.enable_checks("n1")
    await rig.look_until(lambda seen: not seen.server("n1").up)


async def test_a_reload_is_a_new_process_and_forgets_no_disabled_check(rig: Rig) -> None:
    before = await rig.look_until(all_up)
    await rig.pool.disable_checks("n1")
    await asyncio.to_thread(rig.pair[1].reload)
    after = await rig.look_until(lambda look: look.pid not in (None, before.pid))
    assert after.server("n1").checks_disabled
    assert not after.server("n2").checks_disabled
    await rig.pool.set_state("n1", Admin.READY)
    assert not (await rig.pool.look()).server("n1").checks_disabled


async def test_a_check_disabled_before_maint_is_fresh_again_before_ready(rig: Rig) -> None:
    await rig.look_until(all_up)
    await rig.pool.disable_checks("n1")
    for which in (0, 1):
        await rig.command(which, "set server shop/n1 state maint")
    rig.webs[0].health = 503
    with pytest.raises(HaproxyError, match="has not passed its check"):
        await rig.impatient().set_state("n1", Admin.READY)
    rig.webs[0].health = 200
    await rig.pool.set_state("n1", Admin.READY)
    assert (await rig.pool.look()).server("n1").status == "UP"


async def test_capacity_load_and_queue_are_those_of_both(rig: Rig) -> None:
    look = await rig.look_until(all_up)
    assert look.server("n1").capacity == 2 * _MAXCONN
    for one in rig.webs:
        one.gate.clear()
    async with httpx2.AsyncClient(timeout=20) as users:
        urls = [f"http://127.0.0.1:{one.port}/slow" for one in rig.pair for _ in range(6)]
        asked = [asyncio.create_task(users.get(url)) for url in urls]
        # Of six on each HAProxy, two go to each server, and two wait for any.
        look = await rig.look_until(lambda seen: seen.queued == 4)
        assert [look.server(name).in_flight for name in ("n1", "n2")] == [4, 4]
        for one in rig.webs:
            one.gate.set()
        assert {reply.status_code for reply in await asyncio.gather(*asked)} == {200}
