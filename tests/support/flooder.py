"""A client that floods a local broker, in a process of its own: so many messages a second, no more.

It speaks MQTT 3.1.1, which has no limit on messages in flight, and writes packets straight to the
socket: a library would be the bottleneck. It ends by itself.
"""

import argparse
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from enum import StrEnum

from tests.support.mqtt_packets import length, text

MOST_SECONDS = 120.0
BEGUN = "begun"
_BATCH_S = 0.01


class Kind(StrEnum):
    """What is sent: to whose topic, and whether it makes sense."""

    GARBAGE = "garbage"
    VALID = "valid"
    UNKNOWN = "unknown"
    INFO = "info"
    FORGED = "forged"


def main() -> int:
    """Flood, and print how many messages were sent."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--kind", type=Kind, choices=list(Kind), required=True)
    parser.add_argument("--qos", type=int, choices=[0, 1], required=True)
    parser.add_argument("--per-second", type=float, default=5000.0)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    end = time.monotonic() + min(options.seconds, MOST_SECONDS)
    sent = 0
    messages = _messages(options.kind)
    sys.stdout.write(f"{BEGUN}\n")
    sys.stdout.flush()
    while time.monotonic() < end:
        # A server may have it disconnected: a flooder comes back.
        sent += _flood(options.port, messages, options.qos, options.per_second, end)
    sys.stdout.write(f"{sent}\n")
    return 0


def _flood(
    port: int, messages: Iterator[tuple[str, bytes]], qos: int, per_second: float, end: float
) -> int:
    """Send until the end, or until disconnected; return how many messages were sent."""
    sent, begun = 0, time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(_connect("office"))
            line.recv(16)
            threading.Thread(target=_drain, args=(line,), daemon=True).start()
            while (now := time.monotonic()) < end:
                due = int((now - begun) * per_second) - sent
                packets = []
                for _ in range(due):
                    sent += 1
                    packets.append(_publish(*next(messages), qos, sent % 65535 + 1))
                line.sendall(b"".join(packets))
                time.sleep(_BATCH_S)
    except OSError:
        time.sleep(_BATCH_S)
    return sent


def _drain(line: socket.socket) -> None:
    try:
        while line.recv(65536):
            pass
    except OSError:
        return


def _messages(kind: Kind) -> Iterator[tuple[str, bytes]]:
    number = 0
    while True:
        number += 1
        event = {"v": 1, "event_type": "lid_open", "id": f"f-{number}", "seq": number, "boot": "f"}
        payload = json.dumps(event).encode()
        match kind:
            case Kind.GARBAGE:
                yield "bigred/box/office/event", b'{"v":1,' + b"x" * (number % 200)
            case Kind.VALID:
                yield "bigred/box/office/event", payload
            case Kind.UNKNOWN:
                yield f"bigred/box/x-{number % 20_000}/event", payload
            case Kind.INFO:
                yield f"bigred/box/x-{number % 20_000}/info", b'{"v":1,"agent":"1","button":"x"}'
            case Kind.FORGED:
                yield "bigred/app/site/state", b'{"v":1,"app":"site","who":"%d"}' % number


def _connect(name: str) -> bytes:
    body = text("MQTT") + bytes([4, 2]) + struct.pack("!H", 60) + text(name)
    return bytes([0x10]) + length(len(body)) + body


def _publish(topic: str, payload: bytes, qos: int, packet_id: int) -> bytes:
    body = text(topic) + (struct.pack("!H", packet_id) if qos else b"") + payload
    return bytes([0x30 | qos << 1]) + length(len(body)) + body


if __name__ == "__main__":
    sys.exit(main())
