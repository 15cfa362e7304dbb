"""Blocking calls of one moment in as few threads as they need."""

import asyncio
import threading
from functools import partial

import pytest

from bigred_server.tomcat.short_calls import ShortCalls


async def test_calls_of_one_moment_share_a_thread_and_each_has_its_own_result() -> None:
    calls, threads = ShortCalls[int](), list[int]()

    def work(number: int) -> int:
        threads.append(threading.get_ident())
        return number

    results = await asyncio.gather(*(calls.run(partial(work, number)) for number in range(10)))
    assert results == list(range(10))
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


async def test_an_error_is_for_its_own_caller() -> None:
    calls = ShortCalls[int]()

    def fail() -> int:
        raise FileNotFoundError("none")

    good, bad = asyncio.create_task(calls.run(lambda: 1)), asyncio.create_task(calls.run(fail))
    assert await good == 1
    with pytest.raises(FileNotFoundError):
        await bad


async def test_a_caller_that_gives_up_takes_nothing_from_the_others() -> None:
    calls, go_on = ShortCalls[bool](), threading.Event()
    impatient, patient = (
        asyncio.create_task(calls.run(lambda: go_on.wait(10.0))) for _ in range(2)
    )
    await asyncio.sleep(0)
    impatient.cancel()
    go_on.set()
    assert await patient
    assert impatient.cancelled()


async def test_a_call_that_hangs_holds_up_few_others() -> None:
    calls, go_on = ShortCalls[bool](), threading.Event()
    hung = asyncio.create_task(calls.run(lambda: go_on.wait(10.0)))
    others = [asyncio.create_task(calls.run(lambda: True)) for _ in range(40)]
    async with asyncio.timeout(5.0):
        assert all(await asyncio.gather(*others[15:]))
    assert not hung.done()
    go_on.set()
    await asyncio.gather(hung, *others)
