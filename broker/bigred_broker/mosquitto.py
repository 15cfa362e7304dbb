"""Mosquitto: its configuration, written from ours, and a private one for the demo and tests."""

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
    """A listener, or a folder for its database, is asked for that is not written."""


def configuration(broker: BrokerSettings, state: Path | None = None) -> str:
    """Return mosquitto.conf for the `[broker]` section; `state` is a folder for its database.

    Raises ListenerError for an address other than loopback: without certificates the broker must
    not be open to other machines. Also for a folder whose name would be read as more than that.
    """
    if not str(state or "").isprintable():
        raise ListenerError(f"{str(state)!a} has a control character; name another folder")
    if broker.host not in _LOOPBACK:
        raise ListenerError(
            f"[broker] host is {broker.host!r}: a listener without authentication is written for "
            "127.0.0.1 only"
        )
    lines = [
        "# Written by bigred from its [broker] section.",
        # Mosquitto accepts as many clients as it may open files; by default systemd allows 1,024.
        "# More than 900 boxes: set LimitNOFILE=65536 in the unit file of Mosquitto's service.",
        f"listener {broker.port} {broker.host}",
        "allow_anonymous true",
        # A press and its reply are single small packets: waiting to fill one costs 40 ms.
        "set_tcp_nodelay true",
        f"max_packet_size {MAX_BYTES + TOPIC_AND_PROPERTIES}",
        # Enough for ten thousand boxes too: nobody needs what all of them retain at once.
        "max_queued_messages 1000",
        # By default 20: as many presses that a server has not answered would delay all others.
        "max_inflight_messages 1000",
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
    """Run a private Mosquitto on a loopback port, its files in `folder`, until the block ends.

    Raises ProgramError if Mosquitto is missing or does not start.
    """
    broker = BrokerSettings(port=port)
    with started(folder, configuration(broker), port):
        yield broker


@contextlib.contextmanager
def started(folder: Path, text: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run Mosquitto with this configuration; yield its process, for callers that kill it.

    Raises ProgramError if Mosquitto is missing, the port is taken, or it does not start.
    """
    if program.is_listening(port):
        raise program.ProgramError(f"port {port} is taken; stop the program that listens there")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "mosquitto.conf"
    config.write_text(text)
    command = [program.find_program("mosquitto", PACKAGE), "-c", str(config)]
    log = folder / "mosquitto.log"
    with program.running("mosquitto", command, log, lambda: program.is_listening(port)) as child:
        yield child
