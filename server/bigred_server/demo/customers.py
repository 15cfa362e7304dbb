"""The customers of the shop: the requests they send, and the answers they expect."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from bigred_server.demo.request_log import RequestKind

_TIMEOUT_S = 15.0


class WrongAnswerError(Exception):
    """The shop answered with a wrong status or wrong content."""


@dataclass(frozen=True)
class Customer:
    """One customer of the shop.

    `persistent` keeps connections, `single_use` opens one per request. All methods return the
    status, and raise WrongAnswerError or httpx2.HTTPError.
    """

    url: str
    persistent: httpx2.AsyncClient
    single_use: httpx2.AsyncClient

    async def get_page(self, client: httpx2.AsyncClient, page: str = "/") -> int:
        """Read a page."""
        answer = await client.get(f"{self.url}{page}")
        _expect(answer, 200, f"Release {answer.headers.get('X-Release')} ")
        return answer.status_code

    async def order_something(self, size: int) -> int:
        """Send an order with a body of `size` bytes; the answer must state that size."""
        answer = await self.persistent.post(f"{self.url}/order", content=b"x" * size)
        _expect(answer, 201, f": {size} bytes")
        return answer.status_code

    async def get_slow(self, ms: int) -> int:
        """Request an answer that takes `ms` milliseconds, at most 5000."""
        answer = await self.persistent.get(f"{self.url}/slow", params={"ms": ms})
        _expect(answer, 200, f"slept {ms} ms")
        return answer.status_code

    def request(self, kind: RequestKind, number: int) -> Awaitable[int]:
        """Send a request of one kind; `number` varies the page and the size of orders."""
        if kind is RequestKind.POST:
            return self.order_something(100 + number * 37 % 3000)
        page = "/basket" if number % 2 else "/"
        client = self.single_use if kind is RequestKind.FRESH else self.persistent
        return self.get_page(client, page)


def _expect(answer: httpx2.Response, status: int, text: str) -> None:
    if answer.status_code != status:
        raise WrongAnswerError(f"status {answer.status_code} instead of {status}")
    if text not in answer.text:
        raise WrongAnswerError(f"status {status} without {text!r}")


@contextlib.asynccontextmanager
async def connected(urls: Sequence[str], each: int = 1) -> AsyncIterator[list[Customer]]:
    """Yield `each` customers per URL of the shop; close their connections when the block ends."""
    # Idle connections are closed on this side first: one that HAProxy closed just as a request was
    # sent would look like a failure.
    persistent = httpx2.Limits(
        max_connections=None, max_keepalive_connections=50, keepalive_expiry=20.0
    )
    single_use = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            [
                await stack.enter_async_context(_client(number, limits))
                for limits in (persistent, single_use)
            ]
            for number in range(1, each + 1)
        ]
        yield [Customer(url, *pair) for pair in clients for url in urls]


def _client(number: int, limits: httpx2.Limits) -> httpx2.AsyncClient:
    # Returning users share a client. If it kept cookies, all of them would reach the same node.
    none = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    # Each customer has an address of its own, by which HAProxy's log tells them apart.
    transport = httpx2.AsyncHTTPTransport(limits=limits, local_address=f"127.0.1.{number}")
    headers = {"X-Customer": str(number)}
    return httpx2.AsyncClient(
        transport=transport, timeout=_TIMEOUT_S, cookies=none, headers=headers, trust_env=False
    )
