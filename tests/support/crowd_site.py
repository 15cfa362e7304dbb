"""A server with many boxes, which are played by processes of their own, and a restartable broker.

The app is deployed by a Jenkins, which is a fake: it needs no node. Beside the server, an echo over
the same broker answers lids of the same boxes.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.forked import Forked
from tests.support.jenkins_app import configured
from tests.support.lean_players import Player, playing
from tests.support.prompt_client import prompt_client

from bigred_broker import mosquitto
from bigred_broker.messages import ANSWER_DEADLINE_S
from bigred_broker.program import free_port, stop, wait_until
from bigred_broker.settings import BrokerSettings
from bigred_server.testing.jenkins import FakeJenkins

_DEADLINE_S = 60.0
BOXES, ECHO = "bigred/box", "echo"
_TRY_S = 0.5
_ANNOUNCED = "homeassistant/device/+/config"


@dataclass
class CrowdSite:
    """The site. `announced`: the boxes that the server has announced since it was cleared."""

    folder: Path
    port: int
    boxes: int
    config: Path
    broker: "subprocess.Popen[bytes]"
    server: Forked
    players: Sequence[Player] = ()
    announced: set[str] = field(default_factory=set)

    def up(self) -> int:
        """Return how many boxes are connected and know the server's clock."""
        total = 0
        for player in self.players:
            player.ask({"do": "count"})
        for player in self.players:
            found = player.answer()
            assert isinstance(found, dict)
            total += min(found["up"], found["told"])
        return total

    def wait_up(self, begun_s: float) -> float:
        """Wait until all boxes are up; return the seconds since a moment, inf if they never are."""
        return _since(begun_s, lambda: self.up() >= self.boxes)

    def wait_announced(self, begun_s: float) -> float:
        """Wait until the server has announced all boxes; return the seconds since a moment."""
        return _since(begun_s, lambda: len(self.announced) >= self.boxes)

    def lids(
        self, topic: str, count: int, per_s: float, within_s: float = ANSWER_DEADLINE_S
    ) -> list[float]:
        """Lift lids at a steady pace; return the seconds until each was armed, or inf."""
        every_s, lifting = 1 / per_s, self.players[0]
        lifting.ask(
            {
                "do": "lids",
                "topic": topic,
                "count": count,
                "every_s": every_s,
                "within_s": within_s,
            }
        )
        found = lifting.answer()
        assert isinstance(found, list)
        return [float("inf") if one is None else float(one) for one in found]

    def first_lid(self, begun_s: float) -> float:
        """Lift lids until one is armed; return the seconds since a moment, inf if none ever is."""
        return _since(begun_s, lambda: self.lids(BOXES, 1, 1.0, _TRY_S) < [_TRY_S])

    def restart_broker(self) -> None:
        """Kill the broker, and start it again with nothing retained."""
        self.broker.kill()
        self.broker.wait(_DEADLINE_S)
        self.announced.clear()
        self.broker = _broker(self.folder, self.port)

    def restart_server(self) -> None:
        """Kill the server and start it again, without waiting for it."""
        self.server.kill()
        self.server.wait(_DEADLINE_S)
        self.server = _server(self.folder, self.config)


@contextlib.contextmanager
def crowd_site(folder: Path, boxes: int) -> Iterator[CrowdSite]:
    """Run the site in a folder until the block ends; its boxes are not connected yet."""
    port, jenkins = free_port(), FakeJenkins()
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(jenkins.serving())
        names = [f"box-{number}" for number in range(boxes)]
        config = configured(folder, port, url, names)
        broker = _broker(folder, port)
        site = CrowdSite(folder, port, boxes, config, broker, _server(folder, config))
        stack.callback(lambda: stop(site.broker))
        stack.callback(lambda: stop(site.server))
        log = folder / "server.log"
        wait_until(lambda: "connected to the broker" in log.read_text(), _DEADLINE_S, "it runs")
        stack.enter_context(_observed(site))
        stack.enter_context(_echo(port))
        yield site


@contextlib.contextmanager
def played(site: CrowdSite) -> Iterator[None]:
    """Have the boxes of a site connect, and play them until the block ends."""
    with playing(site.port, site.boxes) as players:
        site.players = players
        yield


@contextlib.contextmanager
def _echo(port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.support.echo", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), "the echo ended by itself"
            yield
        finally:
            process.terminate()


@contextlib.contextmanager
def _observed(site: CrowdSite) -> Iterator[None]:
    """Note which boxes the server announces."""
    client = prompt_client("observer")
    client.on_message = lambda _c, _d, message: site.announced.add(message.topic)
    client.on_connect = lambda client, *_: client.subscribe(_ANNOUNCED, qos=1)
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", site.port)
    client.loop_start()
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()


def _broker(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    (folder / "mqtt").mkdir(exist_ok=True)
    file = folder / "mqtt" / "mosquitto.conf"
    file.write_text(mosquitto.configuration(BrokerSettings(port=port)))
    with (folder / "mqtt" / "log").open("ab") as log:
        return subprocess.Popen(["mosquitto", "-c", str(file)], stdout=log, stderr=log)


def _server(folder: Path, config: Path) -> Forked:
    log = folder / "server.log"
    log.touch()
    return Forked(("server", "--config", str(config)), log, log)


def _since(begun_s: float, ready: Callable[[], bool]) -> float:
    while time.monotonic() - begun_s < _DEADLINE_S:
        if ready():
            return time.monotonic() - begun_s
        time.sleep(0.05)
    return float("inf")
