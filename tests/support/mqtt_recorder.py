"""Records every message at a broker, with the time of its arrival."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any  # messages are JSON

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


@dataclass(frozen=True)
class Recorded:
    """A message: topic, JSON or text, time of arrival (monotonic seconds), and its retain flag."""

    topic: str
    body: Any
    at_s: float
    retained: bool


@dataclass
class Recorder:
    """All messages so far, the oldest first."""

    client: mqtt.Client
    messages: list[Recorded] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def of(self, topic: str) -> list[Recorded]:
        """Return the messages on a topic."""
        with self._news:
            return [one for one in self.messages if one.topic == topic]

    def last(self, topic: str) -> Any:
        """Return the body of the last message on a topic; None if there is none."""
        found = self.of(topic)
        return found[-1].body if found else None

    def until(self, is_so: Callable[[], bool], deadline_s: float, what: str) -> None:
        """Wait until a condition holds, checking it after every message."""
        end = time.monotonic() + deadline_s
        with self._news:
            while not is_so():
                left_s = end - time.monotonic()
                if left_s <= 0:
                    lately = [(one.topic, one.body) for one in self.messages[-5:]]
                    raise AssertionError(f"{what}: not after {deadline_s:g} s; last: {lately}")
                self._news.wait(min(left_s, 1.0))

    def publish(self, topic: str, text: str) -> None:
        """Publish a message, as a box or a server would."""
        self.client.publish(topic, text, qos=1)

    def record(self, message: mqtt.MQTTMessage) -> None:
        """Record a message."""
        text = message.payload.decode(errors="replace")
        body = json.loads(text) if text.startswith("{") else text
        with self._news:
            self.messages.append(Recorded(message.topic, body, time.monotonic(), message.retain))
            self._news.notify_all()


@contextlib.contextmanager
def mqtt_recorder(port: int) -> Iterator[Recorder]:
    """Record everything at a local broker until the block ends, even across its restarts."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    recorder = Recorder(client)
    client.reconnect_delay_set(1, 1)

    def subscribe(client: mqtt.Client, *_: object) -> None:
        client.subscribe("bigred/#", qos=1)

    client.on_connect = subscribe
    client.on_message = lambda _client, _data, message: recorder.record(message)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield recorder
    finally:
        client.disconnect()
        client.loop_stop()
