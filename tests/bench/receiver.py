"""How many lines of HAProxy's log one core can receive, parse and count for the judge.

    ./bigred bench receiver --seconds 10

A second process sends lines as HAProxy writes them, from a thousand clients at four nodes: as fast
as a UNIX datagram socket accepts them, and at the given rate by UDP. `lost` is what the kernel
dropped.
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
    """What one run received; `longest_ms`: the longest time for which the loop was blocked."""

    sent: int
    lines: int
    seconds: float
    cpu_s: float
    longest_ms: float


@dataclass
class Pulse:
    """Measures for how long the event loop is blocked."""

    longest_s: float = 0.0

    async def beat(self) -> None:
        """Measure until cancelled."""
        while True:
            begun_s = time.monotonic()
            await asyncio.sleep(PACE_S)
            self.longest_s = max(self.longest_s, time.monotonic() - begun_s - PACE_S)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the figures."""
    options = parse(arguments)
    seconds = min(options.seconds, MOST_S)
    report(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        for name, address, rate in (
            ("unix", str(Path(folder) / "log.sock"), 0),
            ("udp", f"127.0.0.1:{free_port()}", options.rate),
        ):
            report(line(name, asyncio.run(measure(address, seconds, rate))))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench receiver", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=10.0, help="each way (default 10)")
    parser.add_argument("--rate", type=int, default=20_000, help="lines/s by UDP (default 20000)")
    return parser.parse_args(arguments)


async def measure(address: str, seconds: float, rate: int) -> Received:
    """Receive what a sender sends for `seconds`."""
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
    """Send lines for `seconds`; `rate` per second, or 0 for as many as are accepted."""
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
    f"{'by':6} {'sent':>9} {'received':>9} {'lost':>8} {'lines/s':>9} {'per core':>9} "
    f"{'longest':>8}"
)


def line(name: str, received: Received) -> str:
    """Format a run as a line."""
    per_core = received.lines / max(received.cpu_s, 1e-9)
    return (
        f"{name:6} {received.sent:9} {received.lines:9} {received.sent - received.lines:8} "
        f"{received.lines / received.seconds:9.0f} {per_core:9.0f} "
        f"{received.longest_ms:5.1f} ms"
    )


def report(text: str) -> None:
    """Print a line immediately."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
