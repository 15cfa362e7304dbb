"""A program that is run to its end, what it prints captured, and nothing of it left running."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ProgramResult:
    """Its exit code, what it printed, and what it complained of: "" where that was not wanted."""

    code: int
    printed: str
    complaints: str


async def captured(
    *argv: str, environment: Mapping[str, str] | None = None, complaints: bool = False
) -> ProgramResult:
    """Run a program, with this environment or our own; its caller bounds the time.

    Its whole process group ends with it, or when its caller gives it up. Raises OSError when it
    can't be run.
    """
    child = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE if complaints else asyncio.subprocess.DEVNULL,
        start_new_session=True,
        env=environment,
    )
    try:
        printed, complained = await child.communicate()
    finally:
        # What a time-out leaves running would pile up.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        code = await child.wait()
    return ProgramResult(code, _text(printed), _text(complained))


def _text(said: bytes | None) -> str:
    return (said or b"").decode("utf-8", "replace")
