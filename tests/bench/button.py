"""From finger to driver: how soon a box in QEMU reads what happens to a virtual button.

    ./bigred bench button --machine raspi3b

Starts the built card, stops its agent, and reads the button with the agent's own driver at its
usual rate. Each move is timed until the button has reported it, and until the guest has read it and
confirmed that by a datagram; half of a datagram's round trip is subtracted. Needs root and a card
built by `./bigred image`.
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
# The time that a fast hand needs between two motions.
HAND_S = (0.2, 0.4)
_ECHOES = 50
_ECHO = b"echo"
_PYTHON = "/opt/bigred/.venv/bin/python3"
# This machine's address in QEMU's network, as the guest sees it.
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
    """Receives the guest's datagrams, and returns its echoes."""

    line: socket.socket
    said: "queue.Queue[tuple[float, str]]" = field(default_factory=queue.Queue)
    guest: tuple[str, int] | None = None

    def hear(self) -> None:
        """Receive until the socket is closed."""
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
    """Measure, and print the figures."""
    options = parse(arguments)
    with TemporaryDirectory(prefix="bigred-") as folder, contextlib.ExitStack() as stack:
        box = stack.enter_context(guest(options.folder, Path(folder) / "box", options.machine))
        begun_s = time.monotonic()
        live = stack.enter_context(box.power())
        live.wait_for_ssh()
        report(f"ssh after {time.monotonic() - begun_s:.0f} s")
        live.run("systemctl stop bigred-agent")
        live.cable.plug()
        live.run("udevadm wait --timeout=20 /dev/hidraw0")
        found, read, way_s = measure(live, min(options.moves, MOST_MOVES))
    report(f"{len(found)} moves, in ms               median      p95      max")
    report(figures("move to reported", found))
    report(figures("reported to read", [one - way_s / 2 for one in read]))
    report(figures("move to read", [a + b - way_s / 2 for a, b in zip(found, read, strict=True)]))
    report(f"a datagram's round trip: {1000 * way_s:.1f} ms")
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
    """Return each move's seconds until reported, from then until read, and an echo's round trip."""
    button = live.guest.button
    hand = [
        (button.open_lid, "open False"),
        (button.press, "open True"),
        (button.release, "open False"),
        (button.close_lid, "closed False"),
    ]
    found, read = [], []
    with listening() as ear, reader(live, ear) as output:
        expect(ear, "closed False", 6 * DEADLINE_S)
        for number in range(moves):
            time.sleep(random.uniform(*HAND_S))
            move, seen = hand[number % len(hand)]
            moved_at_s = move()
            delivered_at_s = button.delivered_at_s()
            found.append(delivered_at_s - moved_at_s)
            read.append(expect(ear, seen, DEADLINE_S) - delivered_at_s)
    return found, read, float(output[0])


def expect(ear: Ear, seen: str, deadline_s: float) -> float:
    """Return when the guest reported `seen`. Raises RuntimeError, queue.Empty."""
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
    """Run the guest's half until the block ends; the list then has its output."""
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
    """Format a line of the table."""
    cuts = statistics.quantiles([1000 * one for one in seconds], n=100)
    return f"{what:24}{cuts[49]:15.1f}{cuts[94]:9.1f}{1000 * max(seconds):9.1f}"


def report(line: str) -> None:
    """Print a line immediately."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
