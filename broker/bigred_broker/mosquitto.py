"""Mosquitto: its configuration, written from ours, and one of its own for the demo and tests."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bigred_broker import program
from bigred_broker.messages import MAX_BYTES, TOPIC_AND_PROPERTIES
from bigred_broker.settings import BrokerSettings

PACKAGE = "mosquitto"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ListenerError(ValueError):
    """Mosquitto can't be configured as the `[broker]` section asks."""


def configuration(broker: BrokerSettings, state: Path | None = None) -> str:
    """Give mosquitto.conf for the `[broker]` section; `state` is where it may keep its database.

    Raises ListenerError for an address other than loopback: without certificates nobody outside
    this machine may speak to the broker.
    """
    if broker.host not in _LOOPBACK:
        raise ListenerError(
            f"[broker] host is {broker.host!r}: an open listener is written for 127.0.0.1 only"
        )
    lines = [
        "# Written by bigred from its [broker] section.",
        f"listener {broker.port} {broker.host}",
        "allow_anonymous true",
        # A press and its answer are single small packets: waiting to fill one costs 40 ms.
        "set_tcp_nodelay true",
        f"max_packet_size {MAX_BYTES + TOPIC_AND_PROPERTIES}",
        "max_queued_messages 1000",
        "persistence true" if state else "persistence false",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
    ]
    if state:
        lines.append(f"persistence_location {state}/")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def running(folder: Path, port: int) -> Iterator[BrokerSettings]:
    """Run a Mosquitto of our own on a loopback port, its files in `folder`, until the block ends.

    Raises ProgramError when Mosquitto is missing or does not start.
    """
    broker = BrokerSettings(port=port)
    with started(folder, configuration(broker), port):
        yield broker


@contextlib.contextmanager
def started(folder: Path, text: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run Mosquitto with this configuration; its process, for those who want to kill it.

    Raises ProgramError when Mosquitto is missing, the port is taken, or it does not start.
    """
    if program.is_listening(port):
        raise program.ProgramError(f"port {port} is taken; stop what listens there")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "mosquitto.conf"
    config.write_text(text)
    command = [program.find_program("mosquitto", PACKAGE), "-c", str(config)]
    log = folder / "mosquitto.log"
    with program.running("mosquitto", command, log, lambda: program.is_listening(port)) as child:
        yield child
