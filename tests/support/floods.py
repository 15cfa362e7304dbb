"""A box that is armed again and again while another client floods the broker."""

import contextlib
import itertools
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from tests.support import forked
from tests.support.flooder import BEGUN, Kind
from tests.support.forked import Forked
from tests.support.jenkins_app import configured

from bigred_broker import mosquitto
from bigred_broker.messages import Answer, BoxEvent, EventType, Reply, decode, encode
from bigred_broker.program import free_port, wait_until
from bigred_broker.settings import BrokerSettings
from bigred_server.testing.jenkins import FakeJenkins

DEADLINE_S = 30.0
_PAUSE_S = 0.05
_LATE_S = 5.0
_LONGEST_FLOOD_S = 60.0


@dataclass(frozen=True)
class Flood:
    """What another box lived through: the seconds from each lid to its arming, inf for none.

    `grown_kib`: how much more memory server and broker use at the end; `lines`: what the server
    wrote to its log, in how many `seconds`.
    """

    armed_s: tuple[float, ...]
    grown_kib: dict[str, int]
    lines: int
    seconds: float


@dataclass
class FloodSite:
    """A server and a broker, and a box "lab" played by the test."""

    folder: Path
    port: int
    server: Forked
    broker: "subprocess.Popen[bytes]"
    client: mqtt.Client
    replies: "queue.Queue[Reply]"
    _numbers: Iterator[int]

    def arm(self, within_s: float = _LATE_S) -> float:
        """Lift the lid of the lab's box; return the seconds until it is armed, and close it."""
        begun_s = time.monotonic()
        event = self._send(EventType.LID_OPEN)
        armed_s = float("inf")
        with contextlib.suppress(queue.Empty):
            while (left_s := begun_s + within_s - time.monotonic()) > 0:
                reply = self.replies.get(timeout=left_s)
                if reply.id == event:
                    assert reply.answer is Answer.ARMED, reply
                    armed_s = time.monotonic() - begun_s
                    break
        self._send(EventType.LID_CLOSE)
        return armed_s

    def flooded(self, kind: Kind | None, qos: int, tries: int, per_second: float = 5000.0) -> Flood:
        """Arm the box while the flood lasts; without a kind, while there is none."""
        before, log_before, begun_s = self._memory(), len(self._log()), time.monotonic()
        with self._flooder(kind, qos, per_second):
            armed_s = []
            for _ in range(tries):
                armed_s.append(self.arm())
                time.sleep(_PAUSE_S)
        after = self._memory()
        return Flood(
            tuple(armed_s),
            {name: after[name] - before[name] for name in before},
            len(self._log()) - log_before,
            time.monotonic() - begun_s,
        )

    def arm_after_standstill(self, kind: Kind, qos: int, stopped_s: float) -> float:
        """Stop the server while a flood begins; return how soon it arms when it goes on.

        The lid is lifted every half a second: until the server has taken what the broker queued for
        it, the queue has no room for a lid.
        """
        self.server.send_signal(signal.SIGSTOP)
        with self._flooder(kind, qos, 5000.0):
            time.sleep(stopped_s)
            self.server.send_signal(signal.SIGCONT)
            begun_s = time.monotonic()
            while self.arm(within_s=0.5) > _LATE_S:
                assert time.monotonic() - begun_s < DEADLINE_S, "it is never armed again"
            return time.monotonic() - begun_s

    @contextlib.contextmanager
    def _flooder(self, kind: Kind | None, qos: int, per_second: float) -> Iterator[None]:
        """Flood the broker while the block runs; not without a kind."""
        if kind is None:
            yield
            return
        command = [sys.executable, "-m", "tests.support.flooder", "--port", str(self.port)]
        command += ["--kind", str(kind), "--qos", str(qos), "--per-second", str(per_second)]
        flooder = subprocess.Popen(
            [*command, "--seconds", str(_LONGEST_FLOOD_S)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert flooder.stdout is not None
            assert flooder.stdout.readline().strip() == BEGUN
            yield
        finally:
            flooder.terminate()
            flooder.communicate(timeout=DEADLINE_S)

    def _send(self, kind: EventType) -> str:
        number = next(self._numbers)
        event = BoxEvent(event_type=kind, id=f"lab-{number}", seq=number, boot="lab")
        self.client.publish("bigred/box/lab/event", encode(event), qos=1)
        return event.id

    def _log(self) -> list[str]:
        return (self.folder / "server.log").read_text().splitlines()

    def _memory(self) -> dict[str, int]:
        return {"server": _kib(self.server.pid), "broker": _kib(self.broker.pid)}


def _kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


@contextlib.contextmanager
def flood_site(folder: Path, boxes: Sequence[str] = ()) -> Iterator[FloodSite]:
    """Run the site, with more boxes, in a folder until the block ends."""
    port, jenkins, replies = free_port(), FakeJenkins(), queue.Queue[Reply]()
    with contextlib.ExitStack() as stack:
        text = mosquitto.configuration(BrokerSettings(port=port))
        broker = stack.enter_context(mosquitto.started(folder / "mqtt", text, port))
        url = stack.enter_context(jenkins.serving())
        config = configured(folder, port, url, ("office", "lab", *boxes))
        log = folder / "server.log"
        server = stack.enter_context(
            forked.running(
                "the server",
                ("server", "--config", str(config)),
                log,
                lambda: log.exists() and "connected to the broker" in log.read_text(),
            )
        )
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="lab", protocol=MQTTProtocolVersion.MQTTv5
        )
        client.on_message = lambda _c, _d, message: replies.put(
            decode(Reply, bytes(message.payload))
        )
        client.on_connect = lambda client, *_: client.subscribe("bigred/box/lab/reply", qos=1)
        client.connect("127.0.0.1", port)
        client.loop_start()
        stack.callback(client.loop_stop)
        stack.callback(client.disconnect)
        site = FloodSite(folder, port, server, broker, client, replies, itertools.count(1))
        wait_until(lambda: site.arm() < _LATE_S, DEADLINE_S, "the box is armed")
        yield site
