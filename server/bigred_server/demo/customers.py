"""The customers of the shop: what they ask for, and which answer satisfies them."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from bigred_server.demo.samples import Kind

_PATIENCE_S = 15.0


class WrongAnswerError(Exception):
    """The shop answered, but not what was asked for."""


@dataclass(frozen=True)
class Customers:
    """Those who keep their connections, and those who open one for each request."""

    url: str
    staying: httpx2.AsyncClient
    passing: httpx2.AsyncClient

    async def look(self, client: httpx2.AsyncClient) -> int:
        """Read the page; give the status. All raise WrongAnswerError or httpx2.HTTPError."""
        answer = await client.get(f"{self.url}/")
        _expect(answer, 200, f"Release {answer.headers.get('X-Release')} is open.")
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

    def request(self, kind: Kind, number: int) -> Awaitable[int]:
        """Give the request of one kind; `number` makes orders differ in size."""
        if kind is Kind.POST:
            return self.order(100 + number * 37 % 3000)
        return self.look(self.passing if kind is Kind.FRESH else self.staying)


def _expect(answer: httpx2.Response, status: int, text: str) -> None:
    if answer.status_code != status:
        raise WrongAnswerError(f"status {answer.status_code} instead of {status}")
    if text not in answer.text:
        raise WrongAnswerError(f"status {status} without {text!r}")


@contextlib.asynccontextmanager
async def arriving(urls: Sequence[str]) -> AsyncIterator[list[Customers]]:
    """Give the customers of the shop at each of its addresses; they all go when the block ends."""
    # Idle connections end on this side first; one that HAProxy closes in that moment is no failure.
    kept = httpx2.Limits(max_connections=None, max_keepalive_connections=50, keepalive_expiry=20.0)
    unkept = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    async with _client(kept) as staying, _client(unkept) as passing:
        yield [Customers(url, staying, passing) for url in urls]


def _client(limits: httpx2.Limits) -> httpx2.AsyncClient:
    # Many customers share a client. A cookie that it kept would send all of them to one node.
    none = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    return httpx2.AsyncClient(limits=limits, timeout=_PATIENCE_S, cookies=none, trust_env=False)
