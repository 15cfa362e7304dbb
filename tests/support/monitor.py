"""QEMU's monitor, which reads the emulated machine without its guest."""

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any  # QMP is JSON

from tests.support.sockets import connect

DEADLINE_S = 20.0
# BCM2837 ARM Peripherals, 6.1: the pin level registers, 32 pins each, as a Pi 3 maps them.
_LEVELS = 0x3F20_0034
_PINS = 32


@dataclass(frozen=True)
class Monitor:
    """A conversation in QMP; events between the answers are skipped."""

    line: TextIOWrapper
    to: socket.socket

    def ask(self, command: str, **arguments: str) -> Any:
        """Return the answer to a command. Raises RuntimeError if QEMU refuses."""
        said = json.dumps({"execute": command, "arguments": arguments})
        self.to.sendall(said.encode() + b"\n")
        for line in self.line:
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"QEMU refused {said}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise RuntimeError(f"QEMU hung up at {said}")

    def word(self, address: int) -> int:
        """Read 32 bits of the machine's physical memory, registers included."""
        printed = self.ask("human-monitor-command", **{"command-line": f"xp /1wx {address:#x}"})
        return int(str(printed).split()[-1], 16)

    def pin(self, number: int) -> bool:
        """Return whether a GPIO pin of a raspi3b is high."""
        bank, bit = divmod(number, _PINS)
        return bool(self.word(_LEVELS + 4 * bank) >> bit & 1)


@contextlib.contextmanager
def monitor(path: Path, deadline_s: float = DEADLINE_S) -> Iterator[Monitor]:
    """Talk to the monitor at a socket until the block ends."""
    with connect(path, deadline_s) as to, to.makefile("r", encoding="utf-8") as line:
        to.settimeout(DEADLINE_S)
        line.readline()  # the greeting
        talk = Monitor(line, to)
        talk.ask("qmp_capabilities")
        yield talk
