"""Deadlines and limits of connections to the HTTP API, which here are lower than on a site."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import h11
import pytest
from fastapi import FastAPI, Request
from tests.support.until import until

from bigred_broker.program import free_port
from bigred_server.settings import ApiSettings
from bigred_server.web import serve
from bigred_server.web.bounded_http import BoundedHttp
from bigred_server.web.connection import Waiting
from bigred_server.web.errors import add_error_handlers

DEADLINE_S = 20.0
SHORT_S = 0.2
LONG_S = 60.0
BIG = 20_000_000
MOST = 10
TOO_MANY = "503: too many connections; try again in a moment"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"


@dataclass
class Line:
    """A connection of a client."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def everything(self) -> bytes:
        """Return what comes until the server closes the connection."""
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := await asyncio.wait_for(self.reader.read(65_536), DEADLINE_S):
                parts.append(part)
        return b"".join(parts)

    async def answer(self) -> str:
        """Return the status and the sentence of the answer, after which the server closes."""
        head, _, body = (await self.everything()).partition(b"\r\n\r\n")
        return f"{head.split()[1].decode()}: {json.loads(body)['error']}"


@dataclass
class Rig:
    port: int
    received: list[bytes]
    asked: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def line(self) -> AsyncIterator[Line]:
        line = Line(*await asyncio.open_connection("127.0.0.1", self.port, limit=1024))
        try:
            yield line
        finally:
            line.writer.transport.abort()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig(free_port(), [])
    app = FastAPI()
    add_error_handlers(app)

    @app.head("/")
    @app.post("/")
    async def receive(request: Request) -> int:
        rig.received.append(await request.body())
        return len(rig.received[-1])

    @app.post("/refused")
    async def refuse() -> int:
        return 0

    @app.get("/big")
    async def big() -> str:
        rig.asked += 1
        return "x" * BIG

    @app.get("/slow")
    async def slow() -> str:
        rig.asked += 1
        await rig.gate.wait()
        return "late"

    listening = serve.listening(f"127.0.0.1:{rig.port}")
    serving = asyncio.create_task(serve.serve(app, ApiSettings(most_connections=MOST), listening))
    try:
        yield rig
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(serving, DEADLINE_S)


@pytest.fixture(autouse=True)
def long_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    for waiting in Waiting:
        monkeypatch.setattr(waiting, "limit_s", LONG_S)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def shorten(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "limit_s", SHORT_S)


async def test_a_client_that_says_nothing_is_cut_off(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(Waiting.REQUEST, monkeypatch)
    async with rig.line() as line:
        assert await line.everything() == b""


async def test_a_head_that_trickles_in_is_cut_off_with_a_sentence(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(Waiting.HEAD, monkeypatch)
    async with rig.line() as line:

        async def trickle() -> None:
            line.send(b"GET / HTTP/1.1\r\nHost: x\r\n")
            for number in range(1_000):
                line.send(f"X-{number}: a\r\n".encode())
                await asyncio.sleep(SHORT_S / 4)

        trickling = asyncio.create_task(trickle())
        assert await line.answer() == "408: the request was not complete after 0.2 s"
        trickling.cancel()


async def test_a_body_that_stops_half_way_is_cut_off_with_a_sentence(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(Waiting.BODY, monkeypatch)
    async with rig.line() as line:
        line.send(POST + b"\r\n12345")
        assert await line.answer() == "408: the request was not complete after 0.2 s"
    assert rig.received == []


async def test_a_head_request_whose_body_stops_half_way_is_cut_off_without_a_sentence(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(Waiting.BODY, monkeypatch)
    async with rig.line() as line:
        line.send(POST.replace(b"POST", b"HEAD") + b"\r\n12345")
        head, end, body = (await line.everything()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert (end, body) == (b"\r\n\r\n", b"")


async def test_a_connection_ends_even_if_its_refusal_is_not_possible(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise h11.LocalProtocolError("not in this state")

    shorten(Waiting.BODY, monkeypatch)
    monkeypatch.setattr(BoundedHttp, "send", fails)
    async with rig.line() as line:
        line.send(POST + b"\r\n12345")
        assert await line.everything() == b""


async def test_a_client_that_never_reads_its_answer_is_cut_off(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(Waiting.READER, monkeypatch)
    before = open_files()
    with socket.create_connection(("127.0.0.1", rig.port)) as line:
        line.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(line, b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(
            lambda: rig.asked > 0 and open_files() <= before + 1, DEADLINE_S, "it is closed"
        )
        got = 0
        with contextlib.suppress(ConnectionResetError):
            while part := await asyncio.wait_for(loop.sock_recv(line, 1 << 20), DEADLINE_S):
                got += len(part)
        assert got < BIG


async def test_a_client_that_reads_slowly_gets_all_of_its_answer(rig: Rig) -> None:
    async with rig.line() as line:
        line.send(b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert len(await line.everything()) > BIG


async def test_a_refused_body_that_goes_on_for_ever_is_cut_off(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(Waiting.LEFTOVER, monkeypatch)
    async with rig.line() as line:
        line.send(b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert b"\r\n\r\n0" in await line.everything()


async def test_requests_one_after_the_other_have_a_deadline_each(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for waiting in (Waiting.HEAD, Waiting.BODY, Waiting.ANSWER):
        monkeypatch.setattr(waiting, "limit_s", 1.0)
    async with rig.line() as line:
        for _ in range(8):
            line.send(POST)
            await asyncio.sleep(SHORT_S / 2)
            line.send(b"\r\n12345")
            await asyncio.sleep(SHORT_S / 2)
            line.send(b"67890")
            head = await asyncio.wait_for(line.reader.readuntil(b"\r\n\r\n"), DEADLINE_S)
            assert head.startswith(b"HTTP/1.1 200 ")
            assert await asyncio.wait_for(line.reader.readexactly(2), DEADLINE_S) == b"10"
    assert rig.received == [b"1234567890"] * 8


async def test_half_a_request_makes_way_with_a_sentence(rig: Rig) -> None:
    async with contextlib.AsyncExitStack() as stack:
        half = [await stack.enter_async_context(rig.line()) for _ in range(MOST)]
        half[3].send(POST + b"\r\n12345")
        half[0].send(b"GET /")
        # Once this later request is answered, the server has seen what the others sent.
        half[9].send(POST + b"\r\n1234567890")
        await asyncio.wait_for(half[9].reader.readuntil(b"\r\n\r\n10"), DEADLINE_S)
        others = [await stack.enter_async_context(rig.line()) for _ in range(MOST)]
        assert await half[0].answer() == TOO_MANY
        assert await half[3].answer() == TOO_MANY
        assert await half[1].everything() == b""
        others[0].send(POST + b"Connection: close\r\n\r\n1234567890")
        assert (await others[0].everything()).endswith(b"\r\n\r\n10")
    assert rig.received == [b"1234567890"] * 2


async def test_requests_that_are_being_answered_make_no_way(rig: Rig) -> None:
    async with contextlib.AsyncExitStack() as stack:
        asked = [await stack.enter_async_context(rig.line()) for _ in range(MOST)]
        for line in asked:
            line.send(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await until(lambda: rig.asked == MOST, DEADLINE_S, "all are being answered")
        async with rig.line() as late:
            assert await late.answer() == TOO_MANY
        rig.gate.set()
        for line in asked:
            assert (await line.everything()).endswith(b'"late"')
