"""The client of warm-up requests against every way in which a server may answer."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from bigred_server.testing.listener import listening
from bigred_server.tomcat.get_client import GetClient, NoAnswerError, Page

_END = b"\r\n\r\n"
WHOLE = {
    "with a length": b"HTTP/1.1 200 OK\r\nContent-Length: 5" + _END + b"hello",
    "in chunks": b"HTTP/1.1 200\r\ntransfer-encoding: Chunked"
    + _END
    + b"5;a=b\r\nhello\r\nB\r\n, everybody\r\n0\r\nX-Late: 1\r\n\r\n",
    "after news": b"HTTP/1.1 103 Early" + _END + b"HTTP/1.1 200 OK\r\nContent-Length: 0" + _END,
    "long": b"HTTP/1.1 200 OK\r\nContent-Length: 300000" + _END + b"x" * 300_000,
}
LAST = {
    "until the end": b"HTTP/1.1 200 OK" + _END + b"hello",
    "said to be the last": b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0" + _END,
    "of an old server": b"HTTP/1.0 200 OK\r\nContent-Length: 5" + _END + b"hello",
}
BROKEN = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 5" + _END + b"he",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked" + _END + b"5\r\nhe",
    "no length of a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked" + _END + b"x\r\n",
    "a length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: many" + _END,
    "a status that is no number": b"HTTP/1.1 fine\r\nContent-Length: 0" + _END,
    "no HTTP": b"220 mail.example.com" + _END,
    "an empty line": _END,
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000,
}
LONG_S = 10.0


@dataclass
class Scripted:
    """A server that gives one answer to every request; `heads`: the requests, by connection.

    It closes a connection after `most` answers, and if an answer is not `whole`.
    """

    answer: bytes
    most: int = 1_000
    whole: bool = True
    heads: list[list[str]] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def client(self, more: str = "") -> AsyncIterator[GetClient]:
        async with listening(self._talk) as address, asyncio.timeout(30):
            with contextlib.closing(GetClient(f"http://{more}{address}")) as client:
                yield client

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads: list[str] = []
        self.heads.append(heads)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            for _ in range(self.most):
                heads.append((await reader.readuntil(_END)).decode())
                writer.write(self.answer)
                await writer.drain()
                if not self.whole:
                    break


@pytest.mark.parametrize("answer", WHOLE.values(), ids=list(WHOLE))
async def test_a_connection_is_kept_after_a_whole_answer(answer: bytes) -> None:
    server = Scripted(answer)
    async with server.client() as client:
        assert [await client.status("/a", LONG_S) for _ in range(3)] == [200, 200, 200]
    assert [len(heads) for heads in server.heads] == [3]


@pytest.mark.parametrize("answer", LAST.values(), ids=list(LAST))
async def test_each_request_has_its_own_connection_if_the_server_keeps_none(answer: bytes) -> None:
    server = Scripted(answer, whole=False)
    async with server.client() as client:
        assert [await client.status("/a", LONG_S) for _ in range(3)] == [200, 200, 200]
    assert [len(heads) for heads in server.heads] == [1, 1, 1]


BODIES = {"with a length": "hello", "in chunks": "hello, everybody", "after news": ""}


@pytest.mark.parametrize(("answer", "body"), [(WHOLE[name], BODIES[name]) for name in BODIES])
async def test_the_body_of_an_answer_is_read_however_it_is_sent(answer: bytes, body: str) -> None:
    async with Scripted(answer).client() as client:
        assert (await client.get("/a", LONG_S)).text == body


async def test_an_answer_is_decoded_as_its_headers_say() -> None:
    packed = gzip.compress("grün".encode("latin-1"))
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=latin-1\r\nContent-Encoding: gzip\r\n"
        f"X-Who: Zoë\r\nContent-Length: {len(packed)}"
    )
    async with Scripted(head.encode("latin-1") + _END + packed).client() as client:
        answer = await client.get("/a", LONG_S)
    assert (answer.text, answer.headers["x-who"]) == ("grün", "Zoë")


async def test_an_answer_that_can_not_be_decoded_is_no_answer() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5"
    async with Scripted(head + _END + b"hello").client() as client:
        with pytest.raises(NoAnswerError, match="DecodingError"):
            await client.get("/a", LONG_S)


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_has_no_body_is_not_waited_for(status: int) -> None:
    server = Scripted(f"HTTP/1.1 {status} Nothing\r\nContent-Length: 5\r\n\r\n".encode())
    async with server.client() as client:
        assert [await client.status("/a", LONG_S) for _ in range(2)] == [status, status]


@pytest.mark.parametrize("answer", BROKEN.values(), ids=list(BROKEN))
async def test_a_broken_answer_is_none_and_ends_its_connection(answer: bytes) -> None:
    server = Scripted(answer, whole=False)
    async with server.client() as client:
        assert [await client.status("/a", LONG_S) for _ in range(2)] == [None, None]
    assert [len(heads) for heads in server.heads] == [1, 1]


async def test_a_connection_that_the_server_closed_meanwhile_is_opened_again() -> None:
    server = Scripted(WHOLE["with a length"], most=2)
    async with server.client() as client:
        assert [await client.status("/a", LONG_S) for _ in range(5)] == [200] * 5
    assert [len(heads) for heads in server.heads] == [2, 2, 1]


async def test_an_answer_that_is_too_late_is_none_and_never_that_of_the_next_request() -> None:
    server = Scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 5" + _END + b"he")
    async with server.client() as client:
        assert await client.status("/a", 0.05) is None
        server.answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 0" + _END
        assert await client.status("/b", LONG_S) == 503
    assert [len(heads) for heads in server.heads] == [1, 1]


async def test_a_request_names_host_and_path_as_every_client_does() -> None:
    server = Scripted(WHOLE["with a length"])
    async with server.client("ada:top secret@") as client:
        await client.status("/shop/søk?q=red button&n=1", LONG_S)
        host = client.url.partition("@")[2]
    first, *headers = server.heads[0][0].split("\r\n")
    assert first == "GET /shop/s%C3%B8k?q=red%20button&n=1 HTTP/1.1"
    assert f"Host: {host}" in headers
    assert "Authorization: Basic YWRhOnRvcCBzZWNyZXQ=" in headers
    assert "User-Agent: bigred" in headers


async def test_nothing_that_listens_is_no_answer() -> None:
    async with listening(lambda _reader, _writer: asyncio.sleep(0)) as address:
        pass
    assert await GetClient(f"http://{address}").status("/", LONG_S) is None


async def test_a_request_to_a_tls_server_is_never_sent_in_the_clear() -> None:
    server = Scripted(WHOLE["with a length"])
    async with server.client() as client:
        secure = GetClient(client.url.replace("http:", "https:"))
        assert await secure.status("/", 1.0) is None
    assert not any(head.startswith("GET") for heads in server.heads for head in heads)


async def test_a_page_has_its_headers_and_its_unpacked_body() -> None:
    packed = gzip.compress("gr\u00fc\u00df Gott".encode("latin-1"))
    head = (
        b"HTTP/1.1 200 OK\r\nX-Release: 1.0\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
        b"Content-Encoding: gzip\r\nx-many: a\r\nX-Many: b\r\n"
    )
    server = Scripted(head + f"Content-Length: {len(packed)}".encode() + _END + packed)
    async with server.client() as client:
        page = await client.page("/a", LONG_S)
        again = Page.of(await client.get("/a", LONG_S))
    assert (page.status, page.text, again.text) == (200, "gr\u00fc\u00df Gott", page.text)
    headers = [page.header(name) for name in ("x-release", "X-MANY", "x")]
    assert headers == [again.header(name) for name in ("x-release", "X-MANY", "x")]
    assert headers == ["1.0", "a, b", ""]
