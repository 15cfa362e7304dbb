"""Two apps behind one real HAProxy, which is read once for both."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.support.until import until
from tests.support.web import web

from bigred_broker.program import free_port
from bigred_server.haproxy.configuration import BackendConfig
from bigred_server.haproxy.instance import HaproxyInstance
from bigred_server.haproxy.merge import PoolLook
from bigred_server.haproxy.pool import Pool
from bigred_server.haproxy.shared_snapshots import SharedSnapshots
from bigred_server.haproxy.snapshot import Snapshot, snapshot
from bigred_server.rollout.core.observation import Admin
from bigred_server.settings import HaproxySettings
from bigred_server.testing.haproxy import FakeHaproxy, FakeServer

DEADLINE_S = 10.0


@dataclass
class Shared:
    """The HAProxy; its backends are `shop` and `books`, which calls its servers `books-n1` and so.

    `read`: the addresses that were read.
    """

    haproxy: HaproxyInstance
    read: list[str] = field(default_factory=list)
    snapshots: SharedSnapshots = field(init=False)

    def __post_init__(self) -> None:
        self.snapshots = SharedSnapshots(self._read)

    async def _read(self, address: str) -> Snapshot:
        self.read.append(address)
        return await snapshot(address)

    def pool(self, backend: str, socket: str = "") -> Pool:
        settings = HaproxySettings(
            socket=socket or str(self.haproxy.admin_socket),
            backend=backend,
            unmanaged=tuple({"shop", "books"} - {backend}),
        )
        return Pool.of(settings, self.snapshots.read)


@pytest.fixture
def shared() -> Iterator[Shared]:
    # A socket's path must be short.
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bigred-two-")))
        webs = [stack.enter_context(web(name)) for name in ("n1", "n2")]
        servers = tuple((one.name, one.port) for one in webs)
        served = BackendConfig("shop", servers, "/health", paths=(("books", "/books"),))
        haproxy = HaproxyInstance(folder / "haproxy", free_port(), served)
        stack.enter_context(haproxy.run())
        yield Shared(haproxy)


async def look_until(pool: Pool, so: Callable[[PoolLook], bool]) -> PoolLook:
    looks: list[PoolLook] = []

    async def is_so() -> bool:
        looks.append(await pool.look())
        return so(looks[-1])

    await until(is_so, DEADLINE_S, "the pool is as awaited", lambda: looks[-1:])
    return looks[-1]


async def test_apps_that_look_at_once_share_a_reading_and_see_their_own_backend(
    shared: Shared,
) -> None:
    shop, books = shared.pool("shop"), shared.pool("books")
    await look_until(shop, lambda look: look.server("n2").up)
    shared.read.clear()
    looks = await asyncio.gather(*(pool.look() for pool in (shop, books) for _ in range(10)))
    assert len(shared.read) == 1
    assert set(looks[0].servers) == {"n1", "n2"}
    assert set(looks[-1].servers) == {"books-n1", "books-n2"}


async def test_who_has_changed_a_server_sees_it_changed_whoever_looks_meanwhile(
    shared: Shared,
) -> None:
    shop, books = shared.pool("shop"), shared.pool("books")
    await look_until(shop, lambda look: look.server("n2").up)
    over = asyncio.Event()

    async def look_on() -> None:
        while not over.is_set():
            assert (await books.look()).server("books-n1").admin is Admin.READY

    looking = [asyncio.create_task(look_on()) for _ in range(5)]
    for state in 5 * (Admin.DRAIN, Admin.MAINT, Admin.DRAIN):
        await shop.set_state("n1", state)
        assert (await shop.look()).server("n1").admin is state
    over.set()
    await asyncio.gather(*looking)


async def test_a_reload_between_two_looks_is_a_new_process_for_both_apps(shared: Shared) -> None:
    shop, books = shared.pool("shop"), shared.pool("books")
    await shop.set_state("n1", Admin.MAINT)
    before = [await pool.look() for pool in (shop, books)]
    await asyncio.to_thread(shared.haproxy.reload)
    after = await asyncio.gather(shop.look(), books.look())
    assert not {one.pid for one in before} & {one.pid for one in after}
    assert after[0].pid == after[1].pid
    assert after[0].server("n1").admin is Admin.MAINT
    assert after[1].server("books-n1").admin is Admin.READY


async def test_a_haproxy_that_hangs_slows_down_no_app_of_another_one(
    shared: Shared, tmp_path: Path
) -> None:
    hanging = FakeHaproxy({"n1": FakeServer()}, silent=True)
    async with hanging.listen(str(tmp_path / "hanging.sock")) as address:
        away = shared.pool("shop", address)
        looking = asyncio.create_task(away.look())
        await until(lambda: address in shared.read, DEADLINE_S, "the other one is read")
        while not looking.done():
            begun_s = asyncio.get_running_loop().time()
            assert not (await shared.pool("books").look()).problem
            assert asyncio.get_running_loop().time() - begun_s < 1.0
        assert "2 s" in (await looking).problem
        # And as soon as it answers again, it is read again.
        hanging.silent = False
        await look_until(away, lambda look: not look.problem)
