"""A real HAProxy with several backends, backups, tracked servers and servers that are out."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from tests.support.sockets import listens
from tests.support.until import until
from tests.support.web import Web, web

from bigred_broker.program import find_program, free_port, running
from bigred_server.errors import HaproxyError
from bigred_server.haproxy.backend import Backend
from bigred_server.haproxy.merge import PoolLook
from bigred_server.haproxy.pool import Pool
from bigred_server.rollout.core.observation import Admin, OutBecause, ServerLook, ServerRole

_CONFIG = """
global
    stats socket {socket} mode 600 level admin
defaults
    mode http
    timeout connect 1s
    timeout client 20s
    timeout server 20s
    timeout check 2s
    retries 0
    option httpchk GET /health
    default-server inter 50ms fastinter 50ms fall 2 rise 1
frontend public
    bind 127.0.0.1:{port}
    use_backend live if {{ path_beg /live }}
    use_backend follower if {{ path_beg /follower }}
    default_backend books
frontend plain
    mode tcp
    bind 127.0.0.1:{tcp_port}
    default_backend plain
backend books
    server n1 127.0.0.1:{n1} check
    server n2 127.0.0.1:{n2} check
    server off 127.0.0.1:{spare} disabled
    server heavy 127.0.0.1:{spare2} weight 0
    server sorry 127.0.0.1:{other} backup
    server lost nosuch.invalid:80 init-addr none
    server unix unix@{socket}.app backup
backend live
    server x1 127.0.0.1:{n1} check
    server x2 127.0.0.1:{n2} check
    server other 127.0.0.1:{other} check
backend follower
    server f1 127.0.0.1:{n1} track books/n1
    server f2 127.0.0.1:{n2} track books/n2
backend plain
    mode tcp
    server p1 127.0.0.1:{n1}
"""


@dataclass
class Site:
    """The HAProxy, its ports, and the web servers behind it."""

    socket: str
    port: int
    tcp_port: int
    webs: list[Web]

    def pool(self, *backends: str) -> Pool:
        return Pool(tuple(Backend(self.socket, name) for name in backends), check_s=10)

    def answers(self, path: str) -> set[str]:
        url = f"http://127.0.0.1:{self.port}{path}"
        return {httpx2.get(url, timeout=5).text for _ in range(6)}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        webs = [stack.enter_context(web(name)) for name in ("n1", "n2", "other", "spare", "spare2")]
        socket, port, tcp_port = tmp_path / "admin.sock", free_port(), free_port()
        config = tmp_path / "haproxy.cfg"
        ports = {one.name: one.port for one in webs}
        config.write_text(_CONFIG.format(socket=socket, port=port, tcp_port=tcp_port, **ports))
        argv = [find_program("haproxy", "haproxy"), "-db", "-f", str(config)]
        log = tmp_path / "haproxy.log"
        stack.enter_context(running("haproxy", argv, log, lambda: listens(socket)))
        yield Site(str(socket), port, tcp_port, webs)


def requests(look: PoolLook) -> int:
    return sum(one.counters.requests for one in look.counters.values())


async def server(pool: Pool, name: str) -> ServerLook:
    return (await pool.look()).server(name)


async def test_the_role_and_state_of_each_server_are_what_haproxy_makes_of_it(site: Site) -> None:
    pool = site.pool("books")
    found = (await pool.look()).servers
    assert {name: one.role for name, one in found.items() if one.role is not ServerRole.ACTIVE} == {
        "heavy": ServerRole.UNWEIGHTED,
        "sorry": ServerRole.BACKUP,
        "unix": ServerRole.BACKUP,
    }
    assert {name: one.because for name, one in found.items() if one.because} == {
        "off": OutBecause.DISABLED,
        "lost": OutBecause.UNRESOLVED,
    }
    # HAProxy remembers `disabled` for ever: a server that was set READY serves all the same.
    await pool.set_state("off", Admin.READY)
    assert (await server(pool, "off")).admin is Admin.READY
    await pool.set_state("n1", Admin.MAINT)
    assert (await server(pool, "n1")).because is OutBecause.COMMANDED


async def test_a_server_that_tracks_another_has_its_check_and_its_state(site: Site) -> None:
    follower, books = site.pool("follower"), site.pool("books")
    row = (await follower.backends[0].look()).servers["f1"]
    assert (row.checked, row.tracked, row.check_of) == (True, "books/n1", "books/n1")

    async def has_passed() -> bool:
        return (await server(follower, "f1")).check.startswith("L7OK")

    await until(has_passed, 5, "the check of the tracked server is seen")
    await books.set_state("n1", Admin.MAINT)
    seen = await server(follower, "f1")
    assert (seen.admin, seen.because) == (Admin.MAINT, OutBecause.FOLLOWED)
    await books.set_state("n1", Admin.READY)
    assert (await server(follower, "f1")).admin is Admin.READY
    await follower.disable_checks("f1")
    assert (await server(books, "n1")).checks_disabled
    await follower.enable_checks("f1")


async def test_a_server_leaves_and_comes_back_in_every_backend(site: Site) -> None:
    pool = site.pool("books", "live", "follower")
    seen = await server(pool, "n1")
    assert seen.backends == {"books": True, "live": True, "follower": True}
    await pool.set_state("n1", Admin.MAINT)
    assert site.answers("/x") == site.answers("/follower") == {"n2"}
    assert site.answers("/live") == {"n2", "other"}
    seen = await server(pool, "n1")
    assert (seen.admin, seen.up, seen.partially_up) == (Admin.MAINT, False, False)
    site.webs[0].health = 503
    with pytest.raises(HaproxyError, match="has not passed its check"):
        await Pool(pool.backends, check_s=1).set_state("n1", Admin.READY)
    assert "n1" not in site.answers("/live") | site.answers("/x") | site.answers("/follower")
    site.webs[0].health = 200
    await pool.set_state("n1", Admin.READY)
    assert "n1" in site.answers("/live") & site.answers("/x") & site.answers("/follower")


async def test_a_backend_that_still_serves_shows_a_mixed_state(site: Site) -> None:
    await site.pool("live").set_state("x1", Admin.MAINT)
    seen = await server(site.pool("books", "live"), "n1")
    assert (seen.admin, seen.partially_up) == (Admin.MIXED, True)
    assert seen.backends == {"books": True, "live": False}


async def test_the_requests_of_all_backends_are_counted(site: Site) -> None:
    pool = site.pool("books", "live")
    before = requests(await pool.look())
    await asyncio.to_thread(site.answers, "/x")
    await asyncio.to_thread(site.answers, "/live")
    after = await pool.look()
    assert requests(after) - before == 12
    assert (after.coverage.backends, after.coverage.unit) == (("books", "live"), "requests")


async def test_backends_with_the_same_tomcats_are_found_unless_they_are_the_apps(
    site: Site,
) -> None:
    alone = await site.pool("books").look()
    assert alone.sharing == {
        "live": ("x1", "x2", "other"),
        "follower": ("f1", "f2"),
        "plain": ("p1",),
    }
    declared = Pool(site.pool("books", "live").backends, frozenset(("follower", "plain")))
    seen = await declared.look()
    assert seen.sharing == {}
    assert seen.coverage.unmanaged == ("follower", "plain")


async def test_a_backend_that_another_one_tracks_is_found_like_any_other(site: Site) -> None:
    assert "books" in (await site.pool("follower").look()).sharing


async def test_a_backend_may_be_missing_but_not_without_nodes(site: Site) -> None:
    seen = await site.pool("books", "nowhere").look()
    assert (seen.problem, seen.sharing["nowhere"]) == ("", ())


async def test_a_line_that_tracks_another_comes_back_from_its_own_maint_too(site: Site) -> None:
    pool = site.pool("books", "follower")
    await site.pool("follower").set_state("f1", Admin.MAINT)
    await pool.set_state("n1", Admin.MAINT)
    await pool.set_state("n1", Admin.READY)
    assert (await server(pool, "n1")).backends == {"books": True, "follower": True}


async def test_in_tcp_mode_connections_are_counted(site: Site) -> None:
    pool = site.pool("plain")
    url = f"http://127.0.0.1:{site.tcp_port}/x"
    with httpx2.Client(timeout=5) as client:
        assert {client.get(url).text for _ in range(5)} == {"n1"}
        seen = await pool.look()
        assert seen.coverage.unit == "connections"
        (found,) = seen.counters.values()
        assert (found.counters.requests, found.counters.errors_5xx) == (1, 0)
