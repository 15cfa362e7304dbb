"""A broker of MQTT 5 that lacks what others lack: retained messages, expiry, MQTT 5 itself.

It knows packets of QoS 0 and 1, exact topics, and the wildcards + and #.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from bigred_broker.settings import BrokerSettings

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
UNSUBSCRIBE, PINGREQ, PINGRESP, DISCONNECT = 10, 12, 13, 14
NOT_AUTHORIZED = 0x87
_EXPIRY = 2  # the property of a PUBLISH


@dataclass(frozen=True)
class Habits:
    """What a broker does. `retained`: for which subscriptions it sends retained messages.

    RabbitMQ: `retained="exact"`. `code`: its answer to CONNECT. `newest`: the newest version of
    MQTT it speaks; `silent`: whether it ends a newer one without an answer. `writable`: the first
    level of topics that it accepts.
    """

    retained: str = "all"
    expiry: bool = True
    code: int = 0
    newest: int = 5
    silent: bool = False
    writable: str = "bigred"


@dataclass
class _Client:
    writer: asyncio.StreamWriter
    topics: list[str] = field(default_factory=list)
    will: tuple[str, bytes] | None = None


@dataclass
class SmallBroker:
    """A running broker. `seen`: the kinds of packets it got; `tasks`: one for each client."""

    habits: Habits
    retained: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    seen: list[int] = field(default_factory=list)
    tasks: set[asyncio.Task[object]] = field(default_factory=set)
    _clients: list[_Client] = field(default_factory=list)
    _mid: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client, task = _Client(writer), asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            while True:
                kind, flags, body = await _packet(reader)
                self.seen.append(kind)
                if not self._handle(client, kind, flags, body):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            if client in self._clients:
                self._clients.remove(client)
            if client.will is not None:
                self._publish(*client.will, b"", retain=True)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            self.tasks.discard(task)

    def _handle(self, client: _Client, kind: int, flags: int, body: bytes) -> bool:
        if kind == CONNECT:
            return self._connect(client, body)
        if kind == PUBLISH:
            self._receive(client, flags, body)
        elif kind == SUBSCRIBE:
            self._subscribe(client, body)
        elif kind == PINGREQ:
            _send(client.writer, PINGRESP << 4, b"")
        elif kind == DISCONNECT:
            client.will = None
            return False
        # As some brokers: no answer to an UNSUBSCRIBE from a topic without a subscription.
        return True

    def _connect(self, client: _Client, body: bytes) -> bool:
        version, flags = body[6], body[7]
        if version > self.habits.newest:
            if not self.habits.silent:
                _send(client.writer, CONNACK << 4, b"\x00\x01")
            return False
        if version < 5:
            _send(client.writer, CONNACK << 4, b"\x00\x00")
            return True
        code = self.habits.code
        if flags & 0x20 and self.habits.retained == "none":
            code = 0x9A
        _send(client.writer, CONNACK << 4, bytes([0, code, 0]))
        at = 10
        at += 1 + body[at]
        _, at = _text(body, at)
        if flags & 0x04:
            at += 1 + body[at]
            topic, at = _text(body, at)
            payload, at = _text(body, at)
            client.will = None if code else (topic.decode(), payload)
        if not code:
            self._clients.append(client)
        return not code

    def _receive(self, client: _Client, flags: int, body: bytes) -> None:
        raw, at = _text(body, 0)
        topic = raw.decode()
        mid, at = body[at : at + 2], at + 2
        properties = body[at + 1 : at + 1 + body[at]]
        payload = body[at + 1 + body[at] :]
        denied = not topic.startswith(self.habits.writable)
        _send(client.writer, PUBACK << 4, mid + (bytes([NOT_AUTHORIZED, 0]) if denied else b""))
        if not denied:
            self._publish(topic, payload, properties, retain=bool(flags & 1))

    def _publish(self, topic: str, payload: bytes, properties: bytes, *, retain: bool) -> None:
        if retain:
            self.retained[topic] = payload, properties
            if not payload:
                del self.retained[topic]
        for client in self._clients:
            if any(_matches(one, topic) for one in client.topics):
                self._deliver(client, topic, payload, properties, retained=False)

    def _subscribe(self, client: _Client, body: bytes) -> None:
        at, wanted = 3 + body[2], []
        while at < len(body):
            raw, at = _text(body, at)
            wanted.append(raw.decode())
            at += 1
        client.topics += wanted
        _send(client.writer, SUBACK << 4, body[:2] + b"\x00" + bytes([1] * len(wanted)))
        for topic, (payload, properties) in self.retained.items():
            if any(self._sends_retained(one) and _matches(one, topic) for one in wanted):
                self._deliver(client, topic, payload, properties, retained=True)

    def _sends_retained(self, subscription: str) -> bool:
        is_exact = not set(subscription) & {"+", "#"}
        return self.habits.retained == "all" or (self.habits.retained == "exact" and is_exact)

    def _deliver(
        self, client: _Client, topic: str, payload: bytes, properties: bytes, *, retained: bool
    ) -> None:
        self._mid = self._mid % 60_000 + 1
        kept = properties if self.habits.expiry and properties[:1] == bytes([_EXPIRY]) else b""
        head = len(topic).to_bytes(2, "big") + topic.encode() + self._mid.to_bytes(2, "big")
        body = head + bytes([len(kept)]) + kept + payload
        _send(client.writer, PUBLISH << 4 | 2 | retained, body)


@contextlib.asynccontextmanager
async def small_broker(habits: Habits) -> AsyncIterator[tuple[SmallBroker, BrokerSettings]]:
    """Run a broker on a loopback port until the block ends."""
    broker = SmallBroker(habits)
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    try:
        yield broker, BrokerSettings(port=server.sockets[0].getsockname()[1])
    finally:
        server.close()
        left = list(broker.tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def _packet(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    first = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return first >> 4, first & 0x0F, await reader.readexactly(length)


def _send(writer: asyncio.StreamWriter, first: int, body: bytes) -> None:
    length, left = b"", len(body)
    while True:
        left, part = left >> 7, left & 0x7F
        length += bytes([part | (0x80 if left else 0)])
        if not left:
            break
    writer.write(bytes([first]) + length + body)


def _text(body: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(body[at : at + 2], "big")
    return body[at + 2 : end], end


def _matches(subscription: str, topic: str) -> bool:
    wanted, levels = subscription.split("/"), topic.split("/")
    if wanted[-1] == "#":
        return levels[: len(wanted) - 1] == wanted[:-1]
    pairs = zip(wanted, levels, strict=False)
    return len(wanted) == len(levels) and all(one in ("+", level) for one, level in pairs)
