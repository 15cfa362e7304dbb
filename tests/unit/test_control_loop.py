"""The control loop goes on after a tick that failed for a reason that passes."""

import asyncio
import errno

import pytest
from sqlalchemy.exc import OperationalError

from bigred_server.control_loop import ControlLoop
from bigred_server.errors import HaproxyError

DEADLINE_S = 10.0


@pytest.mark.parametrize(
    "error",
    [
        HaproxyError("HAProxy is away"),
        OperationalError("SELECT", {}, Exception("locked")),
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
    ids=["our own", "journal", "files", "disk"],
)
async def test_a_loop_survives_what_passes_and_reports_it_once(error: Exception) -> None:
    reported: list[str] = []
    ticks = 0
    done = asyncio.Event()

    async def tick() -> float:
        nonlocal ticks
        ticks += 1
        if ticks == 4:
            done.set()
            return 60.0
        raise error

    loop = ControlLoop(reported.append, 0.0)
    running = asyncio.create_task(loop.run(tick))
    await asyncio.wait_for(done.wait(), DEADLINE_S)
    running.cancel()
    assert reported == [str(error)]


async def test_a_loop_ends_with_a_mistake_of_ours() -> None:
    async def tick() -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(ControlLoop(print, 0.0).run(tick), DEADLINE_S)
