"""A Tomcat to test against: HTTP/1.1 on a loopback port, with an app that behaves as it is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bigred_server.listener import listening


@dataclass
class FakeTomcat:
    """One app; `async with tomcat.listen()` opens its port and gives its URL.

    `pages` maps a path to the status it answers with, other paths answer 404. `headers` and `body`
    come with every answer. `hangs`: the connection is taken and nothing is answered. `closes`: it
    is closed without an answer. `drip_s`: seconds between the bytes of an answer.
    """

    pages: dict[str, int] = field(default_factory=lambda: {"/shop/health": 200})
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hangs: bool = False
    closes: bool = False
    drip_s: float = 0.0
    asked: list[str] = field(default_factory=list)

    @classmethod
    def of_release(cls, marker: str) -> "FakeTomcat":
        """Make one that says its release in the header X-Release."""
        return cls(headers={"X-Release": marker})

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[str]:
        """Listen on a free port; give the URL without a path."""
        async with listening(self._talk) as address:
            yield f"http://{address}"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not self.closes:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split()[1]
                self.asked.append(path)
                if self.hangs:
                    await reader.read()
                    break
                await self._send(writer, self._answer(path))
                if "connection: close" in head.lower():
                    break

    def _answer(self, path: str) -> bytes:
        status = self.pages.get(path, 404)
        lines = [f"HTTP/1.1 {status} Told", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body

    async def _send(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        if not self.drip_s:
            writer.write(answer)
            await writer.drain()
            return
        for at in range(len(answer)):
            writer.write(answer[at : at + 1])
            await writer.drain()
            await asyncio.sleep(self.drip_s)
