"""Blocking work in a thread that stops soon after its caller has been cancelled."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from bigred_server.errors import BigredError

T = TypeVar("T")
Checkpoint = Callable[[], None]
"""Called between two steps of the work; what it raises ends the work."""


class InterruptedWorkError(BigredError):
    """The caller of the work was cancelled."""


def go_on() -> None:
    """Be the checkpoint of work that nobody can interrupt."""


async def in_thread(work: Callable[[Checkpoint], T]) -> T:
    """Run `work` in a thread; if we are cancelled, end it at its next checkpoint and wait for that.

    So nothing is left half-done, or done later.
    """
    cancelled = threading.Event()

    def checkpoint() -> None:
        if cancelled.is_set():
            raise InterruptedWorkError("cancelled")

    running = asyncio.ensure_future(asyncio.to_thread(work, checkpoint))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        cancelled.set()
        with contextlib.suppress(BigredError, OSError):
            await running
        raise
