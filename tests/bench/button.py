"""From the finger to the driver: how soon a box in QEMU reads what is done to a virtual button.

    ./bigred bench button --machine raspi3b

Starts the built card, stops its agent, and lets the agent's own driver read the button at its usual
beat. Each move is timed until the button told it, and until the guest has read it and said so by a
datagram; half of a datagram's way to and fro is taken off. It needs root and `./bigred image`.
"""

import argparse
import contextlib
import queue
import random
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.guest import Running, guest

from bigred_image import board
from bigred_image.__main__ import FOLDER

MOST_MOVES = 1000
DEADLINE_S = 10.0
# What a quick hand needs between two motions.
HAND_S = (0.2, 0.4)
_ECHOES = 50
_ECHO = b"echo"
_PYTHON = "/opt/bigred/.venv/bin/python3"
# This machine as QEMU's network shows it to the guest.
_HOST = "10.0.2.2"
_READER = f"""
import socket, sys, time
from bigred_agent.buttons.dream_cheeky import DreamCheekyButton
from bigred_agent.buttons.watch import POLL_S
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.connect(("{_HOST}", int(sys.argv[1])))
line.settimeout({DEADLINE_S})
ways = []
for _ in range({_ECHOES}):
    begun = time.monotonic()
    line.send({_ECHO!r})
    line.recv(99)
    ways.append(time.monotonic() - begun)
print(sorted(ways)[{_ECHOES} // 2])
line.settimeout(0)
button, last = DreamCheekyButton(), None
button.open()
while True:
    begun = time.monotonic()
    reading = button.read()
    if reading is not None and reading != last:
        line.send(f"{{reading.lid.value}} {{reading.pressed}}".encode())
        last = reading
    try:
        line.recv(99)
        break
    except BlockingIOError:
        time.sleep(max(0, begun + POLL_S - time.monotonic()))
button.close()
"""


@dataclass
class Ear:
    """Hears what the guest says, and answers its echoes."""

    line: socket.socket
    said: "queue.Queue[tuple[float, str]]" = field(default_factory=queue.Queue)
    guest: tuple[str, int] | None = None

    def hear(self) -> None:
        """Hear until the line is shut."""
        while True:
            data, self.guest = self.line.recvfrom(99)
            now_s = time.monotonic()
            if not data:
                return
            if data == _ECHO:
                self.line.sendto(data, self.guest)
            else:
                self.said.put((now_s, data.decode()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and tell the figures."""
    options = parse(arguments)
    with TemporaryDirectory(prefix="bigred-") as folder, contextlib.ExitStack() as stack:
        box = stack.enter_context(guest(options.folder, Path(folder) / "box", options.machine))
        begun_s = time.monotonic()
        live = stack.enter_context(box.power())
        live.wait_for_ssh()
        tell(f"ssh after {time.monotonic() - begun_s:.0f} s")
        live.run("systemctl stop bigred-agent")
        live.cable.plug()
        live.run("udevadm wait --timeout=20 /dev/hidraw0")
        told, read, way_s = measure(live, min(options.moves, MOST_MOVES))
    tell(f"{len(told)} moves, in ms               median      p95      max")
    tell(figures("move to told", told))
    tell(figures("told to read", [one - way_s / 2 for one in read]))
    tell(figures("move to read", [a + b - way_s / 2 for a, b in zip(told, read, strict=True)]))
    tell(f"a datagram to and fro: {1000 * way_s:.1f} ms")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench button", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--machine", choices=board.MACHINES, default=board.VIRT)
    parser.add_argument("--moves", type=int, default=100, help="how many (default 100)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the image was built")
    return parser.parse_args(arguments)


def measure(live: Running, moves: int) -> tuple[list[float], list[float], float]:
    """Give the seconds of each move until told, and from then until read; and an echo's way."""
    button = live.guest.button
    hand = [
        (button.open_lid, "open False"),
        (button.press, "open True"),
        (button.release, "open False"),
        (button.close_lid, "closed False"),
    ]
    told, read = [], []
    with listening() as ear, reader(live, ear) as output:
        expect(ear, "closed False", 6 * DEADLINE_S)
        for number in range(moves):
            time.sleep(random.uniform(*HAND_S))
            move, seen = hand[number % len(hand)]
            moved_at_s = move()
            delivered_at_s = button.delivered_at_s()
            told.append(delivered_at_s - moved_at_s)
            read.append(expect(ear, seen, DEADLINE_S) - delivered_at_s)
    return told, read, float(output[0])


def expect(ear: Ear, seen: str, deadline_s: float) -> float:
    """Give when the guest said what it is to say next. Raises RuntimeError, queue.Empty."""
    at_s, said = ear.said.get(timeout=deadline_s)
    if said != seen:
        raise RuntimeError(f"the guest read {said}, not {seen}")
    return at_s


@contextlib.contextmanager
def listening() -> Iterator[Ear]:
    """Listen on a free port until the block ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        ear = Ear(line)
        thread = threading.Thread(target=ear.hear)
        thread.start()
        try:
            yield ear
        finally:
            line.sendto(b"", line.getsockname())
            thread.join()


@contextlib.contextmanager
def reader(live: Running, ear: Ear) -> Iterator[list[str]]:
    """Run the guest's half until the block ends; what it printed is in the list then."""
    port = ear.line.getsockname()[1]
    output: list[str] = []
    command = f"{_PYTHON} - {port}"

    def run() -> None:
        output.append(live.run(command, _READER, deadline_s=MOST_MOVES + DEADLINE_S))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield output
    finally:
        if ear.guest is not None:
            ear.line.sendto(b"enough", ear.guest)
        thread.join(DEADLINE_S)


def figures(what: str, seconds: Sequence[float]) -> str:
    """Give a line of the table."""
    cuts = statistics.quantiles([1000 * one for one in seconds], n=100)
    return f"{what:24}{cuts[49]:15.1f}{cuts[94]:9.1f}{1000 * max(seconds):9.1f}"


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
