"""A fake Tomcat: HTTP/1.1 on a loopback port, with an app that behaves as a test demands."""

import asyncio
import contextlib
import email
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message

from bigred_server.testing.listener import listening
from bigred_server.testing.tomcat_manager import FakeManager


@dataclass
class FakeTomcat:
    """One app; `async with tomcat.listen()` opens its port and provides its URL.

    `pages`: the status of each path; other paths answer 404. `headers` and `body` are part of every
    answer. `hangs`: connections are accepted and never answered. `closes`: they are closed without
    an answer. `drip_s`: seconds between the bytes of an answer. `manager`: answers requests under
    /manager. `asked`: the requested paths, with queries; `heads`: the headers of these requests.
    """

    pages: dict[str, int] = field(default_factory=lambda: {"/shop/health": 200})
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hangs: bool = False
    closes: bool = False
    drip_s: float = 0.0
    manager: FakeManager | None = None
    asked: list[str] = field(default_factory=list)
    heads: list[Message] = field(default_factory=list)

    @classmethod
    def of_release(cls, marker: str) -> "FakeTomcat":
        """Return a Tomcat that answers with its release in the header X-Release."""
        return cls(headers={"X-Release": marker})

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator[str]:
        """Listen on a free port; provide the URL without a path."""
        async with listening(self._talk) as address:
            yield f"http://{address}"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not self.closes:
                first, _, rest = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
                path = first.split()[1].decode("latin-1")
                head = email.message_from_bytes(rest)
                body = await reader.readexactly(int(head.get("content-length", "0")))
                self.asked.append(path)
                self.heads.append(head)
                answer = None if self.hangs else self._answer(path, head, body)
                if answer is None:
                    await reader.read()
                    break
                await self._send(writer, answer)
                if head.get("connection", "").lower() == "close":
                    break

    def _answer(self, path: str, head: Message, body: bytes) -> bytes | None:
        if self.manager and path.startswith("/manager/"):
            answer = self.manager.answer(path, head.get("authorization", ""), body)
            if answer is None:
                return None
            status, text = answer
            headers = {"Location": self.manager.location} if self.manager.location else {}
            return _answer(status, text.encode(), headers)
        return _answer(self.pages.get(path, 404), self.body, self.headers)

    async def _send(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        if not self.drip_s:
            writer.write(answer)
            await writer.drain()
            return
        for at in range(len(answer)):
            writer.write(answer[at : at + 1])
            await writer.drain()
            await asyncio.sleep(self.drip_s)


def _answer(status: int, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Told", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
