"""Hints that a node has changed, from a real port and from the Runtime API on a real socket."""

import asyncio
import contextlib
import socket
from pathlib import Path

from tests.support.until import until

from bigred_server.haproxy import hint
from bigred_server.haproxy.backend import Backend
from bigred_server.rollout.core.observation import Admin, ServerLook
from bigred_server.testing.haproxy import FakeHaproxy, FakeServer
from bigred_server.testing.listener import listening
from bigred_server.tomcat import port

NOTICED_S = 10.0
DRAINING = ServerLook(Admin.MAINT, in_flight=1)


async def _hangs_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None: ...


async def test_a_port_that_opens_is_noticed() -> None:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{line.getsockname()[1]}"
        async with asyncio.timeout(NOTICED_S):
            waiting = asyncio.create_task(port.until_opened(url))
            await asyncio.wait([waiting], timeout=0.05)  # it has been refused by then
            assert not waiting.done()
            line.listen()
            await waiting


async def test_a_port_that_was_open_all_the_time_is_no_news() -> None:
    async with listening(_hangs_up) as address:
        waiting = asyncio.create_task(port.until_opened(f"http://{address}"))
        await asyncio.wait([waiting], timeout=0.2)
        assert not waiting.done()
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting


async def test_a_port_that_is_open_is_not_connected_to_again() -> None:
    """What Tomcat has not accepted yet waits in a queue that has room for a hundred."""
    came = list[int]()

    async def count(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(1)
        writer.close()

    async with listening(count) as address:
        waiting = asyncio.create_task(port.until_opened(f"http://{address}"))
        await until(lambda: bool(came), NOTICED_S, "it was tried")
        await asyncio.wait([waiting], timeout=0.2)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
    assert came == [1]


async def test_a_server_without_requests_is_noticed(tmp_path: Path) -> None:
    server = FakeServer()
    server.scur = 1
    server.set("maint")
    haproxy = FakeHaproxy({"a": server, "b": FakeServer()})
    async with haproxy.listen(str(tmp_path / "sock")) as address, asyncio.timeout(NOTICED_S):
        waiting = asyncio.create_task(hint.until_changed(Backend(address, "shop"), "a", DRAINING))
        await until(lambda: len(haproxy.commands) >= 2, NOTICED_S, "HAProxy was asked twice")
        assert not waiting.done()
        server.scur = 0
        await waiting
    assert set(haproxy.commands) == {"show stat shop 4 -1"}


async def test_a_haproxy_that_can_not_be_asked_is_asked_again(tmp_path: Path) -> None:
    address = str(tmp_path / "sock")
    async with asyncio.timeout(NOTICED_S):
        waiting = asyncio.create_task(hint.until_changed(Backend(address, "shop"), "a", DRAINING))
        await asyncio.wait([waiting], timeout=0.05)
        assert not waiting.done()
        async with FakeHaproxy({"a": FakeServer()}).listen(address):
            await waiting
