"""An ear at the broker: all that passes there, with the time at which it came."""

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
class Heard:
    """A message: topic, JSON or text, when it came (monotonic seconds), and whether it was kept."""

    topic: str
    body: Any
    at_s: float
    retained: bool


@dataclass
class Ear:
    """All that was heard, the oldest first."""

    client: mqtt.Client
    heard: list[Heard] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def of(self, topic: str) -> list[Heard]:
        """Give what was heard at a topic."""
        with self._news:
            return [one for one in self.heard if one.topic == topic]

    def last(self, topic: str) -> Any:
        """Give what was heard last at a topic; None where nothing was."""
        found = self.of(topic)
        return found[-1].body if found else None

    def until(self, is_so: Callable[[], bool], deadline_s: float, what: str) -> None:
        """Wait until it is so, looking whenever something is heard."""
        end = time.monotonic() + deadline_s
        with self._news:
            while not is_so():
                left_s = end - time.monotonic()
                if left_s <= 0:
                    lately = [(one.topic, one.body) for one in self.heard[-5:]]
                    raise AssertionError(f"{what}: not so after {deadline_s:g} s; heard: {lately}")
                self._news.wait(min(left_s, 1.0))

    def say(self, topic: str, text: str) -> None:
        """Publish something, as a box or a server would."""
        self.client.publish(topic, text, qos=1)

    def hear(self, message: mqtt.MQTTMessage) -> None:
        """Take in a message."""
        text = message.payload.decode(errors="replace")
        body = json.loads(text) if text.startswith("{") else text
        with self._news:
            self.heard.append(Heard(message.topic, body, time.monotonic(), message.retain))
            self._news.notify_all()


@contextlib.contextmanager
def ear(port: int) -> Iterator[Ear]:
    """Listen to everything at a broker of this machine until the block ends, also a new one."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    made = Ear(client)
    client.reconnect_delay_set(1, 1)

    def subscribe(client: mqtt.Client, *_: object) -> None:
        client.subscribe("bigred/#", qos=1)

    client.on_connect = subscribe
    client.on_message = lambda _client, _data, message: made.hear(message)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield made
    finally:
        client.disconnect()
        client.loop_stop()
