"""The customers of the shop: a steady stream of requests, run as a process of its own.

    python -m bigred_server.demo.traffic --url http://127.0.0.1:8080/shop --out /tmp/traffic

A request failed if its client saw an error, a wrong status, a wrong content or a closed connection.
Nothing is ever tried again here: that would hide what a deployment costs. The first line of OUT
says that the traffic has begun. Users with a session are few or none unless asked for; what becomes
of their sessions is counted beside the requests, not among those that failed.

httpx2 is good enough: 250 requests a second take about a quarter of one core.
"""

import asyncio
import contextlib
import itertools
import json
import random
import signal
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any  # click's options, by their names

import click
import httpx2

from bigred_server.demo import request_log, visit_log
from bigred_server.demo.customers import Customers, WrongAnswerError, arriving
from bigred_server.demo.request_log import RequestKind, RequestSample
from bigred_server.demo.returning_users import ReturningUser

_TURNS = (
    RequestKind.GET,
    RequestKind.GET,
    RequestKind.POST,
    RequestKind.GET,
    RequestKind.FRESH,
    RequestKind.GET,
    RequestKind.GET,
)
_MOST_UNANSWERED = 300
_LAST_ANSWERS_S = 10.0


@dataclass(frozen=True)
class _Options:
    """How many customers of each sort, and for how long."""

    rate: float
    customers: int
    slow: int
    slowest_ms: int
    users: int
    pause_s: float
    stay_s: float | None
    max_seconds: float


@dataclass
class _Ledger:
    """What was seen so far; `unanswered` are the requests under way."""

    returning_users: list[ReturningUser] = field(default_factory=list)
    samples: list[RequestSample] = field(default_factory=list)
    failed: int = 0
    unanswered: set[asyncio.Task[None]] = field(default_factory=set)

    def add(self, sample: RequestSample) -> None:
        self.samples.append(sample)
        self.failed += not sample.ok

    def line(self) -> str:
        over = [visit for one in self.returning_users for visit in one.visits]
        figures = {
            "t": time.monotonic(),
            "requests": len(self.samples),
            "failed": self.failed,
            "sessions": sum(one.is_known for one in self.returning_users),
            "lost": len(visit_log.lost(over)),
        }
        return json.dumps(figures) + "\n"


async def _observe(ledger: _Ledger, kind: RequestKind, request: Awaitable[int]) -> None:
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
        ledger.add(RequestSample(start_s, latency_ms, ok, kind, outcome))


async def _steadily(
    ledger: _Ledger, customers: list[Customers], rate: float, end: asyncio.Event
) -> None:
    # By the clock, not one after the other: users do not wait for each other's answers.
    first_s, number = time.monotonic(), 0
    while not end.is_set():
        kind = _TURNS[number % len(_TURNS)]
        if len(ledger.unanswered) < _MOST_UNANSWERED:
            request = customers[number % len(customers)].request(kind, number)
            task = asyncio.create_task(_observe(ledger, kind, request))
            ledger.unanswered.add(task)
            task.add_done_callback(ledger.unanswered.discard)
        else:
            outcome = f"not sent: {_MOST_UNANSWERED} requests had no answer yet"
            ledger.add(RequestSample(time.monotonic(), 0.0, False, kind, outcome))
        number += 1
        await asyncio.sleep(max(0.0, first_s + number / rate - time.monotonic()))


async def _slowly(
    ledger: _Ledger, customers: Customers, slowest_ms: int, end: asyncio.Event
) -> None:
    while not end.is_set():
        ms = random.SystemRandom().randint(min(200, slowest_ms), slowest_ms)
        await _observe(ledger, RequestKind.SLOW, customers.dawdle(ms))
        await asyncio.sleep(0.1)  # while nobody answers this would spin


async def _regularly(
    ledger: _Ledger, user: ReturningUser, pause_s: float, end: asyncio.Event
) -> None:
    chance = random.SystemRandom()
    await asyncio.sleep(chance.uniform(0, pause_s))
    while not end.is_set():
        await _observe(ledger, RequestKind.SESSION, user.come())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(chance.uniform(0.5, 1.5) * pause_s):
                await end.wait()


async def _tell(ledger: _Ledger, out: Path) -> None:
    with out.open("w", encoding="utf-8", buffering=1) as lines:
        try:
            while True:
                lines.write(ledger.line())
                await asyncio.sleep(1.0)
        finally:
            lines.write(ledger.line())


async def _drive(urls: Sequence[str], options: _Options, out: Path) -> _Ledger:
    ledger, end = _Ledger(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    loop.call_later(options.max_seconds, end.set)
    async with arriving(urls, options.customers) as customers:
        ledger.returning_users += _regulars(customers, options)
        teller = asyncio.create_task(_tell(ledger, out))
        users = [
            *(_slowly(ledger, customers[0], options.slowest_ms, end) for _ in range(options.slow)),
            *(_regularly(ledger, user, options.pause_s, end) for user in ledger.returning_users),
            _steadily(ledger, customers, options.rate, end),
        ]
        busy = {asyncio.create_task(user) for user in users}
        await end.wait()
        _, late = await asyncio.wait({*busy, *ledger.unanswered}, timeout=_LAST_ANSWERS_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        teller.cancel()
        await asyncio.gather(teller, return_exceptions=True)
    return ledger


def _regulars(customers: list[Customers], options: _Options) -> list[ReturningUser]:
    # Each stays for a time of their own: who all came at once must not leave at once.
    spread = random.SystemRandom().uniform
    stays = [options.stay_s and options.stay_s * spread(0.5, 1.5) for _ in range(options.users)]
    addresses = itertools.cycle(customers)
    return [
        ReturningUser(number, shop.url, shop.staying, stay_s)
        for (number, stay_s), shop in zip(enumerate(stays), addresses, strict=False)
    ]


@click.command()
@click.option("--url", required=True, multiple=True, help="The app, without a slash at its end.")
@click.option("--rate", default=250.0, show_default=True, help="Requests per second.")
@click.option("--customers", default=20, show_default=True, help="Who send them in turn.")
@click.option("--slow", default=2, show_default=True, help="Users whose answers take long.")
@click.option("--slowest-ms", default=5000, show_default=True, help="How long at most.")
@click.option("--users", default=0, show_default=True, help="Users who log in and come back.")
@click.option("--pause-s", default=1.0, show_default=True, help="How long they stay away.")
@click.option("--stay-s", type=float, help="They log out after this; others come in their place.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="One line a second.")
@click.option("--max-seconds", default=600.0, show_default=True, help="End by itself after this.")
def main(url: tuple[str, ...], out: Path, **options: Any) -> None:
    """Send requests until SIGTERM or SIGINT; then write OUT.samples and OUT.visits."""
    ledger = asyncio.run(_drive(url, _Options(**options), out))
    request_log.write(out.with_name(f"{out.name}.samples"), ledger.samples)
    for user in ledger.returning_users:
        user.leave()
    over = [visit for user in ledger.returning_users for visit in user.visits]
    visit_log.write(out.with_name(f"{out.name}.visits"), over)


if __name__ == "__main__":
    main()
