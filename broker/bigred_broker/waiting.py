"""Waiting for a broker, with a deadline."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any  # the results of futures


async def first_of(*futures: asyncio.Future[Any]) -> None:
    """Wait until one of the futures is done."""
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


@contextlib.asynccontextmanager
async def deadline(seconds: float, what: str) -> AsyncIterator[None]:
    """Give the block so many seconds. Raises ConnectionError with `what` when they are over."""
    try:
        async with asyncio.timeout(seconds) as timeout:
            yield
    except TimeoutError as error:
        if not timeout.expired():
            raise  # the socket's own timeout
        raise ConnectionError(f"{what}: no answer within {seconds:g} s") from error
