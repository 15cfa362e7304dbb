"""Many boxes played by one client: their lids, and how soon each is answered at the broker."""

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt
from tests.support.prompt_client import prompt_client

from bigred_broker.messages import BoxEvent, EventType, encode

_DEADLINE_S = 10.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Lids:
    """The lids of boxes. `topic`: what the boxes' topics begin with."""

    client: mqtt.Client
    topic: str
    _answers: dict[str, tuple[float, str]] = field(default_factory=dict)
    _arrived: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def one_after_another(self, box: str, count: int, pause_s: float) -> list[float]:
        """Lift the lid of a box again and again; return the seconds until each answer, or inf."""
        found = []
        for _ in range(count):
            found += self.each([box], 0.0)
            time.sleep(pause_s)
        return found

    def each(self, boxes: Sequence[str], every_s: float) -> list[float]:
        """Lift the lid of each box at a steady pace; return the seconds until each answer."""
        begun_s, sent = time.monotonic(), {}
        for number, box in enumerate(boxes):
            time.sleep(max(0.0, begun_s + number * every_s - time.monotonic()))
            sent[self._lift(box)] = time.monotonic()
        return self._waited(sent)

    def _lift(self, box: str) -> str:
        number = next(self._numbers)
        event = BoxEvent(event_type=EventType.LID_OPEN, id=f"lid-{number}", seq=number, boot="x")
        self.client.publish(f"{self.topic}/{box}/event", encode(event), qos=1)
        return event.id

    def _waited(self, sent: dict[str, float]) -> list[float]:
        """Wait for the answers to what was sent when; inf for a refusal, and for none."""
        deadline_s = time.monotonic() + _DEADLINE_S
        while sent.keys() - self._answers.keys():
            try:
                self._arrived.get(timeout=max(0.0, deadline_s - time.monotonic()))
            except queue.Empty:
                break
        taken = [(at_s, self._answers.pop(one, (0.0, ""))) for one, at_s in sent.items()]
        return [
            (answered_s - at_s) if answer == "armed" else float("inf")
            for at_s, (answered_s, answer) in taken
        ]

    def take(self, payload: bytes) -> None:
        """Take an answer: of the server, or of the echo, which is the event itself."""
        at_s, found = time.monotonic(), json.loads(payload)
        self._answers[found["id"]] = (at_s, found.get("answer", "armed"))
        self._arrived.put(found["id"])


@contextlib.contextmanager
def lids(port: int, topic: str) -> Iterator[Lids]:
    """Provide the lids of all boxes at a broker."""
    client = prompt_client(f"lids-{topic.replace('/', '-')}")
    boxes, ready = Lids(client, topic), queue.SimpleQueue[None]()
    client.on_message = lambda _c, _d, message: boxes.take(bytes(message.payload))
    client.on_subscribe = lambda *_: ready.put(None)
    client.on_connect = lambda client, *_: client.subscribe(f"{topic}/+/reply", qos=1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        ready.get(timeout=_DEADLINE_S)
        yield boxes
    finally:
        client.disconnect()
        client.loop_stop()


@contextlib.contextmanager
def echo(port: int) -> Iterator[Lids]:
    """Provide lids that are answered by an echo, without a server."""
    command = [sys.executable, "-m", "tests.support.echo", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), "the echo ended by itself"
            with lids(port, "echo") as boxes:
                yield boxes
        finally:
            process.terminate()


def processor_s(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def spent_s(pid: int, work: Callable[[], object]) -> float:
    """Return the processor time that a process uses during some work."""
    before_s = processor_s(pid)
    work()
    return processor_s(pid) - before_s
