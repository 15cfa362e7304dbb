"""HAProxy's own log, as the receiver reads it: what users got, line by line."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from bigred_broker.program import free_port
from bigred_server.errors import HaproxyError
from bigred_server.haproxy.backend import Backend as Runtime
from bigred_server.haproxy.configuration import BackendConfig
from bigred_server.haproxy.instance import HaproxyInstance
from bigred_server.haproxy.receiver import Receiver
from bigred_server.model.log_line import LogLine


@dataclass
class Heard:
    """A HAProxy in front of one small server, and the lines that arrived."""

    haproxy: HaproxyInstance
    receiver: Receiver
    lines: list[LogLine] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def receive(self, line: LogLine, _came: float) -> None:
        self.lines.append(line)
        self.came.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.haproxy.port}"

    async def receives(self, count: int) -> None:
        async with asyncio.timeout(5.0):
            while len(self.lines) < count:
                self.came.clear()
                await self.came.wait()


class _Node(BaseHTTPRequestHandler):
    """Answers with the status at the end of the path, or breaks off."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/breaks"):
            self.close_connection = True
            return
        status = self.path.partition("?")[0].rpartition("/")[2]
        self.send_response(int(status) if status.isdigit() else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def _node() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Node) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(5.0)


Make = Callable[[str], contextlib.AbstractAsyncContextManager[Heard]]


@pytest.fixture
def listening_log(tmp_path: Path) -> Make:
    @contextlib.asynccontextmanager
    async def made(address: str) -> AsyncIterator[Heard]:
        with _node() as node:
            backend = BackendConfig("shop", (("n1", node),), "/health", logs=(address,))
            heard = Heard(HaproxyInstance(tmp_path / "ha", free_port(), backend), Receiver(address))
            heard.receiver.handlers["shop"] = heard.receive
            with heard.receiver.listening(), heard.haproxy.run():
                yield heard

    return made


@pytest.mark.parametrize("by", ["udp", "unix"])
async def test_each_request_is_a_line_and_checks_are_not(
    listening_log: Make, tmp_path: Path, by: str
) -> None:
    address = f"127.0.0.1:{free_port()}" if by == "udp" else str(tmp_path / "log.sock")
    async with listening_log(address) as heard, httpx2.AsyncClient(trust_env=False) as http:
        begun = time.time()
        for path in ("/shop/200", "/shop/404", "/shop/500", "/shop/a%20b%7Cc%0Ad?x=1"):
            await http.get(f"{heard.url}{path}")
        await http.post(f"{heard.url}/shop/order/201", headers={"Cookie": "JSESSIONID=abc"})
        await heard.receives(5)
        found = heard.lines
        assert [line.status for line in found] == [200, 404, 500, 200, 201]
        assert [line.failed for line in found] == [False, False, True, False, False]
        assert found[3].path.startswith("/shop/a%20b")
        assert {line.server for line in found} == {"n1"}
        assert all(begun - 1 < line.came <= line.at < time.time() + 1 for line in found)
        # The client is a hash of the address or of the session.
        assert len({line.client for line in found}) == 2
        assert not any("abc" in line.client or "127" in line.client for line in found)
        look = await Runtime(str(heard.haproxy.admin_socket), "shop").look()
        served = look.servers["n1"].look.served
        assert (served.requests, served.errors) == (5, 1)
    assert len(heard.lines) == 5


async def test_a_node_that_breaks_off_is_blamed(listening_log: Make, tmp_path: Path) -> None:
    async with listening_log(str(tmp_path / "log.sock")) as heard:
        async with httpx2.AsyncClient(trust_env=False) as http:
            await http.post(f"{heard.url}/breaks")
            await http.get(f"{heard.url}/shop/" + "x" * 3000)
        await heard.receives(2)
        assert (heard.lines[0].status, heard.lines[0].failed) == (502, True)
        # HAProxy truncates what exceeds tune.http.logurilen; the group is at the front.
        assert heard.lines[1].path.startswith("/shop/xxx")


async def test_an_address_in_use_is_reported_and_a_dead_socket_is_replaced(tmp_path: Path) -> None:
    at = f"127.0.0.1:{free_port()}"
    second = contextlib.ExitStack()
    with Receiver(at).listening(), second, pytest.raises(HaproxyError, match="haproxy_log"):
        second.enter_context(Receiver(at).listening())
    dead = str(tmp_path / "log.sock")
    with Receiver(dead).listening():
        pass
    with Receiver(dead).listening():
        assert (tmp_path / "log.sock").is_socket()
        with second, pytest.raises(HaproxyError, match="haproxy_log"):
            second.enter_context(Receiver(dead).listening())
        assert (tmp_path / "log.sock").is_socket()
