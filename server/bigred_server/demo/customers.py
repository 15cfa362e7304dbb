"""The customers of the shop: what they ask for, and which answer satisfies them."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from bigred_server.demo.request_log import RequestKind

_PATIENCE_S = 15.0


class WrongAnswerError(Exception):
    """The shop answered, but not what was asked for."""


@dataclass(frozen=True)
class Customers:
    """One customer, who keeps connections or opens one for each request."""

    url: str
    staying: httpx2.AsyncClient
    passing: httpx2.AsyncClient

    async def look(self, client: httpx2.AsyncClient, page: str = "/") -> int:
        """Read a page; give the status. All raise WrongAnswerError or httpx2.HTTPError."""
        answer = await client.get(f"{self.url}{page}")
        _expect(answer, 200, f"Release {answer.headers.get('X-Release')} ")
        return answer.status_code

    async def order(self, size: int) -> int:
        """Order with a body of `size` bytes, which the answer must echo."""
        answer = await self.staying.post(f"{self.url}/order", content=b"x" * size)
        _expect(answer, 201, f": {size} bytes")
        return answer.status_code

    async def dawdle(self, ms: int) -> int:
        """Ask for an answer that takes `ms`, at most 5000."""
        answer = await self.staying.get(f"{self.url}/slow", params={"ms": ms})
        _expect(answer, 200, f"slept {ms} ms")
        return answer.status_code

    def request(self, kind: RequestKind, number: int) -> Awaitable[int]:
        """Give the request of one kind; `number` makes orders differ in size."""
        if kind is RequestKind.POST:
            return self.order(100 + number * 37 % 3000)
        page = "/basket" if number % 2 else "/"
        return self.look(self.passing if kind is RequestKind.FRESH else self.staying, page)


def _expect(answer: httpx2.Response, status: int, text: str) -> None:
    if answer.status_code != status:
        raise WrongAnswerError(f"status {answer.status_code} instead of {status}")
    if text not in answer.text:
        raise WrongAnswerError(f"status {status} without {text!r}")


@contextlib.asynccontextmanager
async def arriving(urls: Sequence[str], each: int = 1) -> AsyncIterator[list[Customers]]:
    """Give `each` customers of the shop at each of its addresses; all go when the block ends."""
    # Idle connections end on this side first; one that HAProxy closes in that moment is no failure.
    kept = httpx2.Limits(max_connections=None, max_keepalive_connections=50, keepalive_expiry=20.0)
    unkept = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            [await stack.enter_async_context(_client(number, limits)) for limits in (kept, unkept)]
            for number in range(1, each + 1)
        ]
        yield [Customers(url, staying, passing) for staying, passing in clients for url in urls]


def _client(number: int, limits: httpx2.Limits) -> httpx2.AsyncClient:
    # Users share a client where they log in. A cookie that it kept would send all to one node.
    none = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    # An address of their own: HAProxy tells customers apart by it.
    transport = httpx2.AsyncHTTPTransport(limits=limits, local_address=f"127.0.1.{number}")
    said = {"X-Customer": str(number)}
    return httpx2.AsyncClient(
        transport=transport, timeout=_PATIENCE_S, cookies=none, headers=said, trust_env=False
    )
