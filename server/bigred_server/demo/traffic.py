"""The customers of the shop: a steady stream of requests, run as a process of its own.

    python -m bigred_server.demo.traffic --url http://127.0.0.1:8080/shop --out /tmp/traffic

A request failed if its client saw an error, a wrong status, a wrong content or a closed connection.
Nothing is ever tried again here: that would hide what a deployment costs. The first line of OUT
says that the traffic has begun.

httpx2 is good enough: 250 requests a second take about a quarter of one core.
"""

import asyncio
import json
import random
import signal
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx2

from bigred_server.demo.customers import Customers, WrongAnswerError, arriving
from bigred_server.demo.samples import Kind, Sample, write

_TURNS = (Kind.GET, Kind.GET, Kind.POST, Kind.GET, Kind.FRESH, Kind.GET, Kind.GET)
_MOST_UNANSWERED = 300
_LAST_ANSWERS_S = 6.0


@dataclass
class _Ledger:
    """What was seen so far; `unanswered` are the requests under way."""

    samples: list[Sample] = field(default_factory=list)
    failed: int = 0
    unanswered: set[asyncio.Task[None]] = field(default_factory=set)

    def add(self, sample: Sample) -> None:
        self.samples.append(sample)
        self.failed += not sample.ok

    def line(self) -> str:
        figures = {"t": time.monotonic(), "requests": len(self.samples), "failed": self.failed}
        return json.dumps(figures) + "\n"


async def _observe(ledger: _Ledger, kind: Kind, request: Awaitable[int]) -> None:
    start_s = time.monotonic()
    ok, outcome = False, "not even an error"
    try:
        outcome = str(await request)
        ok = True
    except (httpx2.HTTPError, WrongAnswerError) as problem:
        outcome = f"{type(problem).__name__}: {problem}"[:200]
    except asyncio.CancelledError:
        outcome = f"no answer {_LAST_ANSWERS_S:g} s after the end of the traffic"
        raise
    finally:
        latency_ms = (time.monotonic() - start_s) * 1000
        ledger.add(Sample(start_s, latency_ms, ok, kind, outcome))


async def _steadily(ledger: _Ledger, customers: Customers, rate: float, end: asyncio.Event) -> None:
    # By the clock, not one after the other: users do not wait for each other's answers.
    first_s, number = time.monotonic(), 0
    while not end.is_set():
        kind = _TURNS[number % len(_TURNS)]
        if len(ledger.unanswered) < _MOST_UNANSWERED:
            task = asyncio.create_task(_observe(ledger, kind, customers.request(kind, number)))
            ledger.unanswered.add(task)
            task.add_done_callback(ledger.unanswered.discard)
        else:
            outcome = f"not sent: {_MOST_UNANSWERED} requests had no answer yet"
            ledger.add(Sample(time.monotonic(), 0.0, False, kind, outcome))
        number += 1
        await asyncio.sleep(max(0.0, first_s + number / rate - time.monotonic()))


async def _slowly(ledger: _Ledger, customers: Customers, end: asyncio.Event) -> None:
    while not end.is_set():
        ms = random.SystemRandom().randint(200, 5000)
        await _observe(ledger, Kind.SLOW, customers.dawdle(ms))
        await asyncio.sleep(0.1)  # while nobody answers this would spin


async def _tell(ledger: _Ledger, out: Path) -> None:
    with out.open("w", encoding="utf-8", buffering=1) as lines:
        try:
            while True:
                lines.write(ledger.line())
                await asyncio.sleep(1.0)
        finally:
            lines.write(ledger.line())


async def _drive(url: str, rate: float, slow: int, out: Path, max_seconds: float) -> _Ledger:
    ledger, end = _Ledger(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    loop.call_later(max_seconds, end.set)
    async with arriving(url) as customers:
        teller = asyncio.create_task(_tell(ledger, out))
        users = [asyncio.create_task(_slowly(ledger, customers, end)) for _ in range(slow)]
        users.append(asyncio.create_task(_steadily(ledger, customers, rate, end)))
        await end.wait()
        _, late = await asyncio.wait({*users, *ledger.unanswered}, timeout=_LAST_ANSWERS_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        teller.cancel()
        await asyncio.gather(teller, return_exceptions=True)
    return ledger


@click.command()
@click.option("--url", required=True, help="The app, without a slash at its end.")
@click.option("--rate", default=250.0, show_default=True, help="Requests per second.")
@click.option("--slow", default=2, show_default=True, help="Users whose answers take 0.2 to 5 s.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="One line a second.")
@click.option("--max-seconds", default=600.0, show_default=True, help="End by itself after this.")
def main(url: str, rate: float, slow: int, out: Path, max_seconds: float) -> None:
    """Send requests until SIGTERM or SIGINT, then write every sample to OUT.samples."""
    ledger = asyncio.run(_drive(url, rate, slow, out, max_seconds))
    write(out.with_name(f"{out.name}.samples"), ledger.samples)


if __name__ == "__main__":
    main()
