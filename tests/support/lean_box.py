"""A box as the broker and the server see it, without button, lights and voice.

It subscribes, publishes and reconnects as the agent does, in a hundredth of its memory.
"""

import contextlib
import math
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.support import mqtt_packets as mqtt
from tests.support.lean_messages import INFO, STATE

from bigred_broker.delays import delays, spread
from bigred_broker.link import STEADY_S
from bigred_broker.messages import (
    Beacon,
    BoxEvent,
    EventType,
    Status,
    decode,
    encode,
)
from bigred_broker.topics import Topics

_KEEPALIVE_S = 60
_PING_S = 40.0
_DIAL_S = 5.0
_ANSWER_S = 10.0
_OWN = 0x2C  # QoS 0, not what we publish ourselves, and no retained messages


@dataclass
class LeanBox:
    """One box; `handle` whatever its socket reports. `answered` gets the bytes of each reply.

    `is_up`: subscribed and announced. `is_told`: has received the server's clock since it is up.
    """

    name: str
    port: int
    selector: selectors.BaseSelector
    answered: Callable[[bytes], None]
    topics: Topics = field(default_factory=Topics)
    is_up: bool = False
    is_told: bool = False
    again_s: float = 0.0
    tell_s: float = math.inf
    _line: socket.socket | None = None
    _buffer: bytearray = field(default_factory=bytearray)
    _pauses: Iterator[float] = field(default_factory=delays)
    _spread_s: float = 0.0
    _number: int = 2
    _sent_s: float = 0.0
    _patience_s: float = _DIAL_S
    _up_s: float = math.inf

    def open(self) -> None:
        """Connect, as often as `tick` finds it disconnected."""
        self._line = socket.socket()
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line.setblocking(False)
        self._line.connect_ex(("127.0.0.1", self.port))
        self.selector.register(self._line, selectors.EVENT_WRITE, self)
        self._sent_s, self._patience_s = time.monotonic(), _DIAL_S

    def tick(self, now_s: float) -> None:
        """Connect again when it is time to, and keep the connection alive."""
        if self._line is None and now_s >= self.again_s:
            self.open()
        elif self._line is not None and now_s - self._sent_s > _PING_S:
            self._send(mqtt.PINGREQ)
        elif self.is_up and now_s >= self.tell_s:
            self._tell()
        elif self._line is not None and not self.is_up and now_s - self._sent_s > self._patience_s:
            self._lose()

    def lift(self, event: str, topic: str) -> None:
        """Lift the lid: publish the event with this id on a topic."""
        happened = BoxEvent(event_type=EventType.LID_OPEN, id=event, seq=0, boot="lean")
        self._publish(topic, encode(happened))

    def handle(self, events: int) -> None:
        """Take in what has arrived, or say hello on a new connection."""
        if events & selectors.EVENT_WRITE:
            self._greet()
            return
        try:
            data = self._line.recv(65536) if self._line else b""
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose()
            return
        self._buffer += data
        for first, body in mqtt.taken(self._buffer):
            self._take(first, body)

    def close(self) -> None:
        """Break off the connection."""
        if self._line is not None:
            with contextlib.suppress(KeyError):
                self.selector.unregister(self._line)
            self._line.close()
        self._line, self.is_up, self.is_told = None, False, False
        self._buffer.clear()

    def _greet(self) -> None:
        if self._line is None or self._line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._lose()
            return
        self.selector.modify(self._line, selectors.EVENT_READ, self)
        self._patience_s = _ANSWER_S
        status, will = self.topics.box(self.name, "status"), Status.OFFLINE.value.encode()
        self._send(mqtt.connect(self.name, _KEEPALIVE_S, status, will))

    def _take(self, first: int, body: bytes) -> None:
        match first & 0xF0:
            case mqtt.CONNACK if body[1] == 0:
                self._subscribe()
            case mqtt.SUBACK:
                self._announce()
            case mqtt.PUBLISH:
                topic, payload, number, retained = mqtt.published(first, body)
                if number:
                    self._send(mqtt.puback(number))
                self._receive(topic, payload, retained=retained)
            case mqtt.CONNACK | mqtt.DISCONNECT:
                self._lose()

    def _subscribe(self) -> None:
        topics, own = self.topics, ("status", "info", "state")
        filters = [(f"echo/{self.name}/reply", 1), (topics.box(self.name, "reply"), 1)]
        filters += [(topics.every_set(self.name), 1), (topics.server_status, 1)]
        filters += [(topics.server_beacon, 1), (topics.every_app_state, 1)]
        filters += [(f"{topics.prefix}/box/{self.name}/{leaf}", _OWN) for leaf in own]
        self._send(mqtt.subscribe(1, filters))

    def _announce(self) -> None:
        online = Status.ONLINE.value.encode()
        self._publish(self.topics.box(self.name, "status"), online, retain=True)
        self._tell()
        self.is_up, self._up_s = True, time.monotonic()

    def _tell(self) -> None:
        self.tell_s = math.inf
        self._publish(self.topics.box(self.name, "info"), INFO, retain=True)
        self._publish(self.topics.box(self.name, "state"), STATE, retain=True)

    def _receive(self, topic: str, payload: bytes, *, retained: bool) -> None:
        if topic == self.topics.server_beacon:
            self.is_told = True
            self._spread_s = decode(Beacon, payload).spread_s
        elif topic.endswith("/reply"):
            self.answered(payload)
        elif topic == self.topics.server_status and payload == b"online" and not retained:
            self.tell_s = time.monotonic() + spread(self._spread_s)

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._number = self._number % 60_000 + 3
        self._send(mqtt.publish(topic, payload, self._number, retain=retain))

    def _send(self, packet: bytes) -> None:
        self._sent_s = time.monotonic()
        try:
            if self._line is not None:
                self._line.sendall(packet)
        except OSError:
            # A full buffer as well: the broker has stopped reading.
            self._lose()

    def _lose(self) -> None:
        now_s = time.monotonic()
        if self.is_up and now_s - self._up_s >= STEADY_S:
            self._pauses = delays()
        wait_s = spread(self._spread_s) if self.is_up else 0.0
        self.close()
        self.again_s = now_s + wait_s + next(self._pauses)
