"""The one way in which a coroutine waits for a condition that gives no event of its own.

Synchronous code uses `bigred_broker.program.wait_until` instead.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

_EVERY_S = 0.01


async def until(
    condition: Callable[[], bool | Awaitable[bool]],
    deadline_s: float,
    what: str,
    seen: Callable[[], object] | None = None,
) -> None:
    """Wait until `condition()`, which may be a coroutine, is true.

    Fails the test at the deadline with `what`, and with what `seen()` returns then.
    """
    try:
        async with asyncio.timeout(deadline_s) as deadline:
            while not await _holds(condition):  # noqa: ASYNC110 -- there is no event
                await asyncio.sleep(_EVERY_S)
    except TimeoutError:
        if not deadline.expired():
            raise
        text = f"{what}: still not true after {deadline_s:g} s"
        raise AssertionError(f"{text}; seen: {seen()!r}" if seen else text) from None


async def _holds(condition: Callable[[], bool | Awaitable[bool]]) -> bool:
    answer = condition()
    return await answer if inspect.isawaitable(answer) else answer
