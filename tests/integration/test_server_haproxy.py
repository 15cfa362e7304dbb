"""HAProxy's Runtime API: what its tables say, what it refuses, and what happens without it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bigred_server.errors import HaproxyError
from bigred_server.haproxy import counts, rows, runtime
from bigred_server.haproxy.backend import Backend
from bigred_server.rollout.core.observation import Admin
from bigred_server.testing.haproxy import FakeHaproxy, FakeServer


@pytest.fixture
def fake() -> FakeHaproxy:
    return FakeHaproxy({"node1": FakeServer(), "node2": FakeServer()})


@pytest.fixture
async def backend(fake: FakeHaproxy, tmp_path: Path) -> AsyncIterator[Backend]:
    async with fake.listen(str(tmp_path / "admin.sock")) as address:
        yield Backend(address, "shop")


async def row(backend: Backend, name: str = "node1") -> rows.ServerRow:
    return (await backend.look()).servers[name]


# --- looking -------------------------------------------------------------------------------------


async def test_a_look_sees_process_servers_and_counters(
    fake: FakeHaproxy, backend: Backend
) -> None:
    fake.requests, fake.errors_5xx, fake.retried = 12, 3, 2
    fake.servers["node1"].scur, fake.servers["node1"].qcur = 4, 1
    seen = await backend.look()
    assert seen.process.pid == 100
    assert (seen.counters.requests, seen.counters.errors_5xx, seen.counters.retried) == (12, 3, 2)
    assert list(seen.servers) == ["node1", "node2"]
    found = seen.servers["node1"]
    assert (found.look.admin, found.look.up, found.look.fresh, found.look.in_flight) == (
        Admin.READY,
        True,
        True,
        5,
    )


async def test_tcp_and_a_unix_socket_give_the_same_answer(fake: FakeHaproxy) -> None:
    async with fake.listen("") as address:
        assert (await Backend(address, "shop").look()).process.pid == 100


async def test_a_restart_shows_as_a_new_pid_and_forgotten_states(
    fake: FakeHaproxy, backend: Backend
) -> None:
    await backend.set_state("node1", Admin.MAINT)
    fake.restart()
    seen = await backend.look()
    assert seen.process.pid == 101
    assert seen.servers["node1"].look.admin is Admin.READY
    assert seen.servers["node1"].look.fresh is False


async def test_after_maint_a_check_is_fresh_only_once_it_has_passed_again(
    fake: FakeHaproxy, backend: Backend
) -> None:
    await backend.set_state("node1", Admin.MAINT)
    assert not (await row(backend)).look.up
    await backend.set_state("node1", Admin.DRAIN)
    found = await row(backend)
    assert (found.look.status, found.look.check, found.look.fresh) == ("DRAIN 1/2", "L7OK", False)
    fake.servers["node1"].check(passes=False)
    found = await row(backend)
    assert (found.look.status, found.look.check, found.look.fresh) == ("DOWN", "L7STS", False)
    fake.servers["node1"].check(passes=True)
    assert (await row(backend)).look.status == "DOWN 1/2"
    fake.servers["node1"].check(passes=True)
    found = await row(backend)
    assert (found.look.status, found.look.fresh) == ("DRAIN", True)
    assert found.look.admin is Admin.DRAIN


async def test_a_check_in_progress_is_not_fresh(fake: FakeHaproxy, backend: Backend) -> None:
    fake.servers["node1"].check_status = "* L7OK"
    assert (await row(backend)).look.fresh is False


async def test_one_failed_check_of_two_leaves_a_server_up(
    fake: FakeHaproxy, backend: Backend
) -> None:
    fake.servers["node1"].check(passes=False)
    found = await row(backend)
    assert (found.look.status, found.look.up, found.look.fresh) == ("UP 1/2", True, False)


@pytest.mark.parametrize("server", [FakeServer(checked=False), FakeServer(fall=1, health=2)])
async def test_without_a_check_or_with_fall_1_a_fresh_check_cannot_be_recognised(
    fake: FakeHaproxy, backend: Backend, server: FakeServer
) -> None:
    fake.servers["node1"] = server
    found = await row(backend)
    assert (found.look.up, found.look.fresh) == (True, None)


@pytest.mark.parametrize(
    ("bits", "state"),
    [
        (0x00, Admin.READY),
        (0x01, Admin.MAINT),
        (0x02, Admin.MAINT),
        (0x04, Admin.READY),
        (0x05, Admin.MAINT),
        (0x20, Admin.MAINT),
        (0x08, Admin.DRAIN),
        (0x10, Admin.DRAIN),
        (0x09, Admin.MAINT),
        (0x40, Admin.READY),
    ],
)
def test_the_administrative_bits_are_read(bits: int, state: Admin) -> None:
    assert rows.admin(bits) is state


def test_requests_in_flight_are_the_running_and_the_queued_ones() -> None:
    given = {"pxname": "shop", "svname": "a", "status": "UP", "scur": "3", "qcur": "2"}
    assert rows.row(given, {"srv_admin_state": "0"}).look.in_flight == 5


def test_a_tcp_backend_counts_sessions_instead_of_requests() -> None:
    assert counts.counters({"stot": "7"}).requests == 7


# --- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [Admin.MAINT, Admin.DRAIN, Admin.READY])
async def test_a_state_is_set_and_read_back(
    fake: FakeHaproxy, backend: Backend, state: Admin
) -> None:
    await backend.set_state("node2", state)
    assert fake.servers["node2"].state == state
    assert fake.servers["node1"].state == "ready"


async def test_a_command_without_effect_is_an_error(fake: FakeHaproxy, backend: Backend) -> None:
    fake.deaf = True
    with pytest.raises(HaproxyError, match="accepted state maint for shop/node1 but shows ready"):
        await backend.set_state("node1", Admin.MAINT)


async def test_sessions_are_cut_on_only_one_server(fake: FakeHaproxy, backend: Backend) -> None:
    fake.servers["node1"].scur = fake.servers["node2"].scur = 3
    await backend.cut("node1")
    assert [one.scur for one in fake.servers.values()] == [0, 3]


async def test_a_socket_of_level_operator_is_reported_with_its_fix(
    fake: FakeHaproxy, backend: Backend
) -> None:
    fake.level = "operator"
    assert (await backend.look()).process.pid == 100
    for refused in (backend.set_state("node1", Admin.MAINT), backend.cut("node1")):
        with pytest.raises(HaproxyError, match="write 'level admin' on its 'stats socket' line"):
            await refused
    with pytest.raises(HaproxyError, match="grants level 'operator'; write 'level admin'"):
        await backend.check(["node1"])
    assert fake.servers["node1"].state == "ready"


async def test_a_missing_server_is_named_with_the_existing_ones(backend: Backend) -> None:
    await backend.check(["node1", "node2"])
    with pytest.raises(HaproxyError, match="no server 'node3'; available: node1, node2"):
        await backend.check(["node1", "node3"])
    with pytest.raises(HaproxyError, match=r"refuses .*: No such server"):
        await backend.set_state("node3", Admin.MAINT)
    with pytest.raises(HaproxyError, match=r"refuses .*: No such server"):
        await backend.cut("node3")


async def test_a_missing_backend_is_named(backend: Backend) -> None:
    other = Backend(backend.address, "blog")
    with pytest.raises(HaproxyError, match="has no backend 'blog'"):
        await other.look()
    with pytest.raises(HaproxyError, match=r"refuses .*: No such backend"):
        await other.set_state("node1", Admin.MAINT)


async def test_a_command_unknown_to_haproxy_is_refused(backend: Backend) -> None:
    with pytest.raises(HaproxyError, match="refuses 'frobnicate': Unknown command"):
        await runtime.set_command(backend.address, "frobnicate")


async def test_several_commands_go_over_one_connection(backend: Backend) -> None:
    given = await runtime.command(backend.address, "show cli level; show cli level")
    assert given == "admin\n\nadmin\n\n"


# --- when it misbehaves --------------------------------------------------------------------------


async def test_an_absent_haproxy_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HaproxyError, match=r"can't be reached: .*is it running"):
        await Backend(str(tmp_path / "none.sock"), "shop").look()


async def test_a_haproxy_that_does_not_answer_is_given_up(
    fake: FakeHaproxy, backend: Backend
) -> None:
    fake.silent = True
    async with asyncio.timeout(5):
        with pytest.raises(HaproxyError, match=r"no answer in 0\.1 s"):
            await runtime.command(backend.address, "show info", deadline_s=0.1)


@pytest.mark.parametrize("address", ["haproxy", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:99999"])
async def test_an_invalid_address_is_an_error(address: str) -> None:
    with pytest.raises(HaproxyError):
        await runtime.command(address, "show info")


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\n",
        b"HTTP/1.1 400 Bad request\r\nContent-Length: 0\r\n\r\n",
        b"# pxname,svname\nshop,BACKEND\n",
        b"# pxname,svname,status\nshop,BACKEND\nshop\n",
        b"1\n# be_name srv_name srv_admin_state\nshop node1 what\n",
        b"# a\nPid: many\n",
        bytes(range(256)) * 20,
        b"# pxname,svname\nshop,BACKEND\nshop,node1\n1\n# srv_name srv_admin_state\nnode1 0\n",
    ],
)
async def test_something_other_than_haproxy_is_an_error_and_no_crash(
    fake: FakeHaproxy, backend: Backend, garbage: bytes
) -> None:
    fake.garbage = garbage
    with pytest.raises(HaproxyError):
        await backend.look()
    with pytest.raises(HaproxyError):
        await backend.check(["node1"])
