"""A client that sends GET requests over one kept connection, and cares for their statuses alone.

A warm-up sends hundreds of requests while other Tomcats share the machine: a whole HTTP client for
each of them would cost ten times the processor time. Whatever else an answer says is not read.
"""

import asyncio
import base64
import functools
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2

_NO_BODY = frozenset({204, 304})
_INFORMATIONAL = range(100, 200)
_PIECE = 1 << 16
_TLS = "https"

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class GetClient:
    """Asks one server; `url`: what every path is appended to. Close it at the end.

    It sends no cookies, and follows no redirects.
    """

    url: str
    _streams: _Streams | None = field(default=None, init=False)

    async def status(self, path: str, deadline_s: float) -> int | None:
        """Return the status of an answer, None if none came as a whole within `deadline_s`."""
        try:
            async with asyncio.timeout(deadline_s):
                return await self._ask(httpx2.URL(self.url + path))
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            self.close()
            return None

    def close(self) -> None:
        """Close the connection, if one is open: Tomcat would wait for it when it stops."""
        if self._streams:
            self._streams[1].close()
            self._streams = None

    async def _ask(self, url: httpx2.URL) -> int:
        is_kept = self._streams is not None
        try:
            status, headers = await self._exchange(url)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            # The server may close a kept connection just when the next request arrives there.
            has_begun = isinstance(error, asyncio.IncompleteReadError) and error.partial
            if not is_kept or has_begun:
                raise
            self.close()
            status, headers = await self._exchange(url)
        if not await self._skip_body(status, headers):
            self.close()
        return status

    async def _exchange(self, url: httpx2.URL) -> tuple[int, Mapping[str, str]]:
        """Send a request; return the status and the headers of its answer."""
        reader, writer = self._streams = self._streams or await _connect(url)
        writer.write(_request(url))
        while True:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
            version, status = first.split()[:2]
            if not version.startswith("HTTP/1."):
                raise ValueError(f"{version!r} is not a version of HTTP/1")
            if int(status) not in _INFORMATIONAL:
                parts = (line.partition(":") for line in lines)
                headers = {name.lower(): value.strip() for name, _, value in parts}
                # Only from HTTP/1.1 on is a connection kept unless somebody says otherwise.
                if version == "HTTP/1.0":
                    headers.setdefault("connection", "close")
                return int(status), headers

    async def _skip_body(self, status: int, headers: Mapping[str, str]) -> bool:
        """Read the rest of an answer; return whether the connection can be used again."""
        if self._streams is None:
            return False
        reader, _ = self._streams
        stays = headers.get("connection", "").lower() != "close"
        if status in _NO_BODY:
            return stays
        if headers.get("transfer-encoding", "").lower().endswith("chunked"):
            await _skip_chunks(reader)
            return stays
        if "content-length" in headers:
            await _skip(reader, int(headers["content-length"]))
            return stays
        while await reader.read(_PIECE):
            pass
        return False


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


async def _skip_chunks(reader: asyncio.StreamReader) -> None:
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        await _skip(reader, size + len(b"\r\n"))
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass


async def _skip(reader: asyncio.StreamReader, count: int) -> None:
    while count > 0:
        piece = await reader.read(min(count, _PIECE))
        if not piece:
            raise EOFError("the answer was cut off")
        count -= len(piece)
