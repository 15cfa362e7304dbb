"""The packets of MQTT 5 that a lean client needs: a library is too heavy for thousands of clients.

Packets sent carry no properties but those named here. Of those received, all properties are
skipped.
"""

import struct
from collections.abc import Iterator, Sequence

CONNACK = 0x20
PUBLISH = 0x30
PUBACK = 0x40
SUBACK = 0x90
DISCONNECT = 0xE0
PINGREQ = b"\xc0\x00"

_NO_PROPERTIES = b"\x00"
_WILL = 0x2C  # retained, QoS 1
_CLEAN_START = 0x02


def connect(name: str, keepalive_s: int, will_topic: str, will: bytes) -> bytes:
    """Return a CONNECT that begins a new session, with a retained will."""
    flags = bytes([5, _WILL | _CLEAN_START])
    head = text("MQTT") + flags + struct.pack("!H", keepalive_s) + _NO_PROPERTIES
    payload = text(name) + _NO_PROPERTIES + text(will_topic) + struct.pack("!H", len(will)) + will
    return _packet(0x10, head + payload)


def subscribe(number: int, filters: Sequence[tuple[str, int]]) -> bytes:
    """Return a SUBSCRIBE; each filter with its options as MQTT 5 numbers them, QoS included."""
    wanted = b"".join(text(name) + bytes([options]) for name, options in filters)
    return _packet(0x82, struct.pack("!H", number) + _NO_PROPERTIES + wanted)


def publish(topic: str, payload: bytes, number: int, *, retain: bool = False) -> bytes:
    """Return a PUBLISH with QoS 1."""
    body = text(topic) + struct.pack("!H", number) + _NO_PROPERTIES + payload
    return _packet(PUBLISH | 0x02 | retain, body)


def puback(number: bytes) -> bytes:
    """Return a PUBACK of a PUBLISH with this packet identifier."""
    return bytes([PUBACK, 2]) + number


def taken(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take all whole packets out of a buffer: each one's first byte, and its body."""
    start = 0
    while (found := _body(buffer, start)) is not None:
        begin, end = found
        yield buffer[start], bytes(buffer[begin:end])
        start = end
    del buffer[:start]


def published(first: int, body: bytes) -> tuple[str, bytes, bytes, bool]:
    """Return topic, payload, packet identifier (empty with QoS 0) and whether it was retained."""
    length = struct.unpack_from("!H", body)[0]
    at = 2 + length
    number = body[at : at + 2] if first & 0x06 else b""
    at += len(number)
    size, at = _number(body, at)
    return body[2 : 2 + length].decode(), body[at + size :], number, bool(first & 0x01)


def _body(buffer: bytearray, start: int) -> tuple[int, int] | None:
    """Return where the body of the packet at `start` begins and ends; None if it is incomplete."""
    try:
        length, begin = _number(buffer, start + 1)
    except IndexError:
        return None
    return (begin, begin + length) if begin + length <= len(buffer) else None


def _number(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return a variable byte integer, and where it ends. Raise IndexError if it is incomplete."""
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + length(len(body)) + body


def text(given: str) -> bytes:
    """Return a text, with its length before it."""
    return struct.pack("!H", len(given)) + given.encode()


def length(count: int) -> bytes:
    """Return the length of a packet's body as the protocol writes it."""
    encoded = bytearray()
    while True:
        count, low = divmod(count, 128)
        encoded.append(low | (0x80 if count else 0))
        if not count:
            return bytes(encoded)
