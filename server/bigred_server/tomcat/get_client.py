"""A client that sends GET requests over one kept connection, and costs little processor time.

Nodes are asked many times a second, and a warm-up sends hundreds of requests, while other Tomcats
share the machine: a whole HTTP client for each request would cost ten times as much.
"""

import asyncio
import base64
import functools
import ssl
from dataclasses import dataclass, field

import httpx2

_NO_BODY = frozenset({204, 304})
_INFORMATIONAL = range(100, 200)
_TLS = "https"
_PACKED = (b"content-encoding", b"transfer-encoding", b"content-length")
_PIECE = 1 << 16
_MOST_BYTES = 64 * 1024 * 1024
# Nodes are asked the same again and again.
_MOST_URLS = 4096

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class NoAnswerError(ConnectionError):
    """No whole answer came, or one that is not HTTP/1; its text says what was seen."""


@dataclass(frozen=True)
class _Head:
    """The head of an answer; `fields` as they came."""

    version: bytes
    status: int
    fields: list[tuple[bytes, bytes]]

    def get(self, name: bytes) -> bytes:
        """Return the last field of a name in lower case, "" if there is none."""
        found = (value for known, value in reversed(self.fields) if known.lower() == name)
        return next(found, b"")

    @property
    def keeps(self) -> bool:
        """Whether the connection can be used again. Only HTTP/1.1 keeps it unless told so."""
        return self.version == b"HTTP/1.1" and self.get(b"connection").lower() != b"close"


@dataclass(frozen=True)
class Page:
    """An answer as it was sent; it is unpacked only if somebody wants its text."""

    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header, "" if there is none."""
        wanted = name.lower().encode()
        return ", ".join(
            value.decode("latin-1") for known, value in self.fields if known.lower() == wanted
        )

    @property
    def text(self) -> str:
        """The body as text. Raise httpx2.DecodingError if it can't be unpacked."""
        return self.response().text

    def response(self) -> httpx2.Response:
        """Return it as a whole HTTP client does. Raise as `text` does."""
        return httpx2.Response(self.status, headers=self.fields, content=self.body)

    @classmethod
    def of(cls, response: httpx2.Response) -> "Page":
        """Return an answer that another client has read and unpacked."""
        fields = [(n, value) for n, value in response.headers.raw if n.lower() not in _PACKED]
        return cls(response.status_code, fields, response.content)


@dataclass
class GetClient:
    """Asks one server; `url`: what every path is appended to. Close it at the end.

    It sends no cookies, and follows no redirects.
    """

    url: str
    _streams: _Streams | None = field(default=None, init=False)

    async def get(self, path: str, deadline_s: float) -> httpx2.Response:
        """Return a whole answer. Raise NoAnswerError, or TimeoutError after `deadline_s`."""
        page = await self.page(path, deadline_s)
        try:
            return page.response()
        except httpx2.DecodingError as error:
            self.close()
            raise NoAnswerError(type(error).__name__) from error

    async def page(self, path: str, deadline_s: float) -> Page:
        """Return a whole answer, without unpacking it. Raise as `get` does."""
        try:
            async with asyncio.timeout(deadline_s):
                head, body = await self._ask(_url(self.url + path))
            return Page(head.status, head.fields, body)
        except (TimeoutError, asyncio.CancelledError):
            # What still comes would be taken for the answer to the next request.
            self._abort()
            raise
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            self._abort()
            raise NoAnswerError(type(error).__name__) from error

    async def status(self, path: str, deadline_s: float) -> int | None:
        """Return the status of an answer, None if none came as a whole within `deadline_s`."""
        try:
            return (await self.page(path, deadline_s)).status
        except (NoAnswerError, TimeoutError):
            return None

    def close(self) -> None:
        """Close the connection, if one is open: Tomcat would wait for it when it stops."""
        if self._streams:
            self._streams[1].close()
            self._streams = None

    def _abort(self) -> None:
        # With TLS, a farewell would wait half a minute for a server that hangs.
        if self._streams:
            self._streams[1].transport.abort()
            self._streams = None

    async def _ask(self, url: httpx2.URL) -> tuple[_Head, bytes]:
        is_kept = self._streams is not None
        try:
            head = await self._exchange(url)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError) as error:
            # The server may close a kept connection just when the next request arrives there.
            has_begun = isinstance(error, asyncio.IncompleteReadError) and error.partial
            if not is_kept or has_begun:
                raise
            self.close()
            head = await self._exchange(url)
        body, is_at_end = await self._body(head)
        if is_at_end or not head.keeps:
            self.close()
        return head, body

    async def _exchange(self, url: httpx2.URL) -> _Head:
        """Send a request; return the head of its answer."""
        reader, writer = self._streams = self._streams or await _connect(url)
        writer.write(_request(url))
        while True:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
            version, status = first.split()[:2]
            if not version.startswith(b"HTTP/1."):
                raise ValueError(f"{version!r} is not a version of HTTP/1")
            if int(status) not in _INFORMATIONAL:
                parts = (line.partition(b":") for line in lines)
                fields = [(name, value.strip()) for name, _, value in parts]
                return _Head(version, int(status), fields)

    async def _body(self, head: _Head) -> tuple[bytes, bool]:
        """Return the body, and whether only the end of the connection showed its end."""
        if self._streams is None or head.status in _NO_BODY:
            return b"", False
        reader, _ = self._streams
        if head.get(b"transfer-encoding").lower().endswith(b"chunked"):
            return await _chunks(reader), False
        if length := head.get(b"content-length"):
            return await reader.readexactly(_bounded(int(length))), False
        return await _to_the_end(reader), True


@functools.lru_cache(maxsize=_MOST_URLS)
def _url(text: str) -> httpx2.URL:
    return httpx2.URL(text)


@functools.lru_cache(maxsize=_MOST_URLS)
def _request(url: httpx2.URL) -> bytes:
    lines = [
        b"GET " + url.raw_path + b" HTTP/1.1",
        b"Host: " + url.netloc,
        b"Accept: */*",
        b"Accept-Encoding: gzip, deflate",
        b"User-Agent: bigred",
    ]
    if url.userinfo:
        user = f"{url.username}:{url.password}".encode()
        lines.append(b"Authorization: Basic " + base64.b64encode(user))
    return b"\r\n".join([*lines, b"", b""])


async def _connect(url: httpx2.URL) -> _Streams:
    is_tls = url.scheme == _TLS
    context = await asyncio.to_thread(_authorities) if is_tls else None
    return await asyncio.open_connection(url.host, url.port or (443 if is_tls else 80), ssl=context)


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Return those that the client of all other requests trusts, too."""
    return httpx2.create_ssl_context(trust_env=False)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        _bounded(len(body) + size)
        body += await reader.readexactly(size)
        await reader.readexactly(len(b"\r\n"))
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return bytes(body)


async def _to_the_end(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while piece := await reader.read(_PIECE):
        _bounded(len(body) + len(piece))
        body += piece
    return bytes(body)


def _bounded(size: int) -> int:
    """Return a size. Raise ValueError if nobody wants to read that much."""
    if size > _MOST_BYTES:
        raise ValueError(f"the answer is longer than {_MOST_BYTES} bytes")
    return size
