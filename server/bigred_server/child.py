"""Run a program, capture its output, and leave none of its processes running."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ProgramResult:
    """A program's exit code and output; `stderr` is "" unless it was requested."""

    code: int
    stdout: str
    stderr: str


async def captured(
    *argv: str, environment: Mapping[str, str] | None = None, with_stderr: bool = False
) -> ProgramResult:
    """Run a program in the given environment, or the server's; the caller sets any time limit.

    Kill its process group when it ends or the call is cancelled. Raise OSError if it can't be run.
    """
    child = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE if with_stderr else asyncio.subprocess.DEVNULL,
        start_new_session=True,
        env=environment,
    )
    try:
        stdout, stderr = await child.communicate()
    finally:
        # Otherwise the processes that a timeout leaves running would accumulate.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        code = await child.wait()
    return ProgramResult(code, _text(stdout), _text(stderr))


def _text(output: bytes | None) -> str:
    return (output or b"").decode("utf-8", "replace")
