"""Generates load: a steady stream of requests by the shop's customers, in a separate process.

    python -m bigred_server.demo.traffic --url http://127.0.0.1:8080/shop --out /tmp/traffic

A request fails if its client sees an error, a wrong status, wrong content or a closed connection.
Nothing is ever retried here: that would hide the cost of a deployment. The first line of OUT means
that the traffic has begun. There are no users with a session unless `--users` asks for some; their
lost sessions are counted separately, not as failed requests.

httpx2 is fast enough: 250 requests per second take about a quarter of one core.
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
from bigred_server.demo.customers import Customer, WrongAnswerError, connected
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
    """The number of customers of each kind, and how long they stay."""

    rate: float
    customers: int
    slow: int
    slowest_ms: int
    users: int
    pause_s: float
    stay_s: float | None
    max_seconds: float


@dataclass
class _Results:
    """The results so far; `unanswered`: the requests in progress."""

    returning_users: list[ReturningUser] = field(default_factory=list)
    samples: list[RequestSample] = field(default_factory=list)
    failed: int = 0
    unanswered: set[asyncio.Task[None]] = field(default_factory=set)

    def add(self, sample: RequestSample) -> None:
        self.samples.append(sample)
        self.failed += not sample.ok

    def line(self) -> str:
        visits = [visit for one in self.returning_users for visit in one.visits]
        counts = {
            "t": time.monotonic(),
            "requests": len(self.samples),
            "failed": self.failed,
            "sessions": sum(one.is_known for one in self.returning_users),
            "lost": len(visit_log.lost(visits)),
        }
        return json.dumps(counts) + "\n"


async def _observe(results: _Results, kind: RequestKind, request: Awaitable[int]) -> None:
    start_s = time.monotonic()
    ok, outcome = False, "no outcome"
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
        results.add(RequestSample(start_s, latency_ms, ok, kind, outcome))


async def _send_steadily(
    results: _Results, customers: list[Customer], rate: float, end: asyncio.Event
) -> None:
    # Requests are sent by the clock: users do not wait for each other's answers.
    first_s, number = time.monotonic(), 0
    while not end.is_set():
        kind = _TURNS[number % len(_TURNS)]
        if len(results.unanswered) < _MOST_UNANSWERED:
            request = customers[number % len(customers)].request(kind, number)
            task = asyncio.create_task(_observe(results, kind, request))
            results.unanswered.add(task)
            task.add_done_callback(results.unanswered.discard)
        else:
            outcome = f"not sent: {_MOST_UNANSWERED} requests were still unanswered"
            results.add(RequestSample(time.monotonic(), 0.0, False, kind, outcome))
        number += 1
        await asyncio.sleep(max(0.0, first_s + number / rate - time.monotonic()))


async def _send_slow(
    results: _Results, customer: Customer, slowest_ms: int, end: asyncio.Event
) -> None:
    while not end.is_set():
        ms = random.SystemRandom().randint(min(200, slowest_ms), slowest_ms)
        await _observe(results, RequestKind.SLOW, customer.get_slow(ms))
        await asyncio.sleep(0.1)  # without a pause, this would spin if every request failed at once


async def _visit_regularly(
    results: _Results, user: ReturningUser, pause_s: float, end: asyncio.Event
) -> None:
    chance = random.SystemRandom()
    await asyncio.sleep(chance.uniform(0, pause_s))
    while not end.is_set():
        await _observe(results, RequestKind.SESSION, user.visit())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(chance.uniform(0.5, 1.5) * pause_s):
                await end.wait()


async def _write_counts(results: _Results, out: Path) -> None:
    with out.open("w", encoding="utf-8", buffering=1) as lines:
        try:
            while True:
                lines.write(results.line())
                await asyncio.sleep(1.0)
        finally:
            lines.write(results.line())


async def _run(urls: Sequence[str], options: _Options, out: Path) -> _Results:
    results, end = _Results(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    loop.call_later(options.max_seconds, end.set)
    async with connected(urls, options.customers) as customers:
        results.returning_users += _returning_users(customers, options)
        writer = asyncio.create_task(_write_counts(results, out))
        users = [
            *(
                _send_slow(results, customers[0], options.slowest_ms, end)
                for _ in range(options.slow)
            ),
            *(
                _visit_regularly(results, user, options.pause_s, end)
                for user in results.returning_users
            ),
            _send_steadily(results, customers, options.rate, end),
        ]
        tasks = {asyncio.create_task(user) for user in users}
        await end.wait()
        _, unfinished = await asyncio.wait({*tasks, *results.unanswered}, timeout=_LAST_ANSWERS_S)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
    return results


def _returning_users(customers: list[Customer], options: _Options) -> list[ReturningUser]:
    # Users who arrived at the same time must not leave at the same time.
    spread = random.SystemRandom().uniform
    stays = [options.stay_s and options.stay_s * spread(0.5, 1.5) for _ in range(options.users)]
    cycled = itertools.cycle(customers)
    return [
        ReturningUser(number, customer.url, customer.persistent, stay_s)
        for (number, stay_s), customer in zip(enumerate(stays), cycled, strict=False)
    ]


@click.command()
@click.option("--url", required=True, multiple=True, help="The app's URL without trailing slash.")
@click.option("--rate", default=250.0, show_default=True, help="Requests per second.")
@click.option("--customers", default=20, show_default=True, help="Customers who send them in turn.")
@click.option("--slow", default=2, show_default=True, help="Users who request slow answers.")
@click.option("--slowest-ms", default=5000, show_default=True, help="Longest of these answers.")
@click.option("--users", default=0, show_default=True, help="Users who log in and return.")
@click.option("--pause-s", default=1.0, show_default=True, help="Mean pause between their visits.")
@click.option("--stay-s", type=float, help="They log out after about this time, and new ones come.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="For counts, one line a second."
)
@click.option("--max-seconds", default=600.0, show_default=True, help="Stop after this time.")
def main(url: tuple[str, ...], out: Path, **options: Any) -> None:
    """Send requests until SIGTERM or SIGINT; then write OUT.samples and OUT.visits."""
    results = asyncio.run(_run(url, _Options(**options), out))
    request_log.write(out.with_name(f"{out.name}.samples"), results.samples)
    for user in results.returning_users:
        user.leave()
    visits = [visit for user in results.returning_users for visit in user.visits]
    visit_log.write(out.with_name(f"{out.name}.visits"), visits)


if __name__ == "__main__":
    main()
