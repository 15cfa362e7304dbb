"""Short blocking calls, such as looks at files, in threads: those of one moment share a thread.

To hand a call to a thread and its result back takes the loop longer than a look at a file takes.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")

# A file system that hangs holds up this many calls at most.
_MOST_TOGETHER = 16


@dataclass(frozen=True)
class _Call(Generic[T]):
    """One call, and who waits for it."""

    work: Callable[[], T]
    result: asyncio.Future[T]


@dataclass
class ShortCalls(Generic[T]):
    """Runs calls of one type of result."""

    _waiting: list[_Call[T]] = field(default_factory=list)

    async def run(self, work: Callable[[], T]) -> T:
        """Run a call in a thread; return its result, or raise its error."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._start, loop)
        result: asyncio.Future[T] = loop.create_future()
        self._waiting.append(_Call(work, result))
        return await result

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        calls, self._waiting = self._waiting, []
        for first in range(0, len(calls), _MOST_TOGETHER):
            some = calls[first : first + _MOST_TOGETHER]
            running = loop.run_in_executor(None, _results, [one.work for one in some])
            running.add_done_callback(partial(_tell, some))


def _results(works: Sequence[Callable[[], T]]) -> list[T | BaseException]:
    return [_result(work) for work in works]


def _result(work: Callable[[], T]) -> T | BaseException:
    try:
        return work()
    except BaseException as error:
        return error


def _tell(calls: Sequence[_Call[T]], done: asyncio.Future[list[T | BaseException]]) -> None:
    if done.cancelled():  # the process ends
        return
    for call, result in zip(calls, done.result(), strict=True):
        if call.result.done():  # its caller has given up
            continue
        if isinstance(result, BaseException):
            call.result.set_exception(result)
        else:
            call.result.set_result(result)
