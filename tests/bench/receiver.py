"""How many lines of HAProxy's log one core takes in, parsed and counted for the judge.

    ./bigred bench receiver --seconds 10

A second process sends lines as HAProxy writes them, of a thousand clients at four nodes, as fast as
a UNIX datagram socket takes them, and as many as asked for by UDP. What the kernel dropped is told.
"""

import argparse
import asyncio
import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bigred_broker.program import free_port
from bigred_server.haproxy.receiver import Receiver
from bigred_server.judge.policy import JudgePolicy
from bigred_server.telemetry.core.observer import Observer

MOST_S = 60.0
PACE_S = 0.005
LINE = (
    "<134>Nov 25 12:00:00 haproxy[1]: bigred1 {second} {milli} shop s{node} {status} 12 15 -- 0 "
    "{client} GET /shop/page"
)


@dataclass
class Received:
    """What one run took in; `longest_ms`: for how long the loop was not free at most."""

    sent: int
    lines: int
    seconds: float
    cpu_s: float
    longest_ms: float


@dataclass
class Pulse:
    """Feels how long the event loop is kept busy."""

    longest_s: float = 0.0

    async def beat(self) -> None:
        """Beat until cancelled."""
        while True:
            begun_s = time.monotonic()
            await asyncio.sleep(PACE_S)
            self.longest_s = max(self.longest_s, time.monotonic() - begun_s - PACE_S)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and tell the figures."""
    options = parse(arguments)
    seconds = min(options.seconds, MOST_S)
    tell(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        for name, address, rate in (
            ("unix", str(Path(folder) / "log.sock"), 0),
            ("udp", f"127.0.0.1:{free_port()}", options.rate),
        ):
            tell(line(name, asyncio.run(measure(address, seconds, rate))))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench receiver", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=10.0, help="each way (default 10)")
    parser.add_argument("--rate", type=int, default=20_000, help="lines/s by UDP (default 20000)")
    return parser.parse_args(arguments)


async def measure(address: str, seconds: float, rate: int) -> Received:
    """Take in what a sender sends for so long."""
    observer = Observer(JudgePolicy(), {f"node{n}": f"s{n}" for n in range(4)})
    receiver, pulse = Receiver(address, {"shop": observer.line}), Pulse()
    context = multiprocessing.get_context("spawn")
    sent = context.Value("L", 0)
    with receiver.listening():
        child = context.Process(target=send, args=(address, seconds, rate, sent))
        beating = asyncio.create_task(pulse.beat())
        child.start()
        while not receiver.lines and child.is_alive():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        begun_s, cpu_s = time.monotonic(), time.process_time()
        pulse.longest_s = 0.0
        while child.is_alive():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
        took_s = time.monotonic() - begun_s
        cpu_s = time.process_time() - cpu_s
        beating.cancel()
        child.join()
    return Received(sent.value, receiver.lines.total(), took_s, cpu_s, pulse.longest_s * 1000)


def send(address: str, seconds: float, rate: int, sent: object) -> None:
    """Send lines for so long; `rate` a second, 0 for as many as are taken."""
    is_unix = address.startswith("/")
    kind = socket.AF_UNIX if is_unix else socket.AF_INET
    host, _, port = address.rpartition(":")
    target = address if is_unix else (host, int(port))
    now, number = int(time.time()), 0
    lines = [
        LINE.format(
            second=now,
            milli=n % 1000,
            node=n % 4,
            status=500 if n % 200 == 0 else 200,
            client=n % 1000,
        ).encode()
        for n in range(4000)
    ]
    with socket.socket(kind, socket.SOCK_DGRAM) as out:
        begun_s = time.monotonic()
        while (gone_s := time.monotonic() - begun_s) < seconds:
            if rate and number >= gone_s * rate:
                time.sleep(0.001)
                continue
            out.sendto(lines[number % len(lines)], target)
            number += 1
    sent.value = number  # type: ignore[attr-defined]


HEAD = (
    f"{'by':6} {'sent':>9} {'taken':>9} {'lost':>8} {'lines/s':>9} {'a core/s':>9} {'longest':>8}"
)


def line(name: str, taken: Received) -> str:
    """Write a run as a line."""
    return (
        f"{name:6} {taken.sent:9} {taken.lines:9} {taken.sent - taken.lines:8} "
        f"{taken.lines / taken.seconds:9.0f} {taken.lines / max(taken.cpu_s, 1e-9):9.0f} "
        f"{taken.longest_ms:5.1f} ms"
    )


def tell(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
