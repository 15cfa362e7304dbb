"""A job: the commands of a build or a test stage, run by a supervisor process."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ValidationError

from bigred_server import environment, private_files
from bigred_server.errors import BuildError

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_STEPS = Path(__file__).with_name("steps.py")
# Not the link of a virtual environment, which may be in a folder that a build can't enter.
PYTHON = os.path.realpath(sys.executable)
LOG_BYTES = 10 * 1024 * 1024
_END_S = 20.0


class Result(BaseModel):
    """How a job ended. `code`: its last command's exit code, None if it was stopped; see `why`.

    `printed`: bytes of output, of which the log keeps the head and the tail. `left`: the number of
    processes that it left behind and that were killed.
    """

    code: int | None
    why: str
    took_s: float
    printed: int
    left: int


@dataclass(frozen=True)
class UrlProbe:
    """A step that waits until a URL answers, for at most `within_s`."""

    url: str
    within_s: float


@dataclass(frozen=True)
class Job:
    """Steps that run in order until one fails; `limit_s` limits their total time.

    `folder`: the working folder; `log`: the file for their output; `work`: the folder for the
    supervisor's own files. `environment`: added to the minimal one. `prefix`: the beginning of the
    command line that confines the steps, and `python` their interpreter; see isolation.py.
    """

    steps: Sequence[Sequence[str] | UrlProbe]
    folder: Path
    log: Path
    work: Path
    limit_s: float
    environment: Mapping[str, str] = field(default_factory=dict)
    prefix: Sequence[str] = ()
    python: str = PYTHON

    async def run(self) -> Result:
        """Run the job and end all its processes. Raise BuildError if the supervisor fails."""
        spec, result = self.work / "job.json", self.work / "result.json"
        result.unlink(missing_ok=True)
        private_files.make_folder(self.log.parent)
        for file in (self.log, spec):
            private_files.make_file(file)
        spec.write_text(json.dumps(self._spec(result)), encoding="utf-8")
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(_SUPERVISOR),
            str(spec),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # Whoever runs as the same user can read it.
            env=environment.minimal(),
        )
        try:
            _, stderr = await child.communicate()
        except asyncio.CancelledError:
            await _end(child)
            raise
        try:
            return Result.model_validate_json(result.read_bytes())
        except (OSError, ValidationError) as error:
            reason = stderr.decode("utf-8", "replace").strip()[-500:]
            raise BuildError(
                f"the build supervisor failed with exit code {child.returncode}: {reason}"
            ) from error

    def _spec(self, result: Path) -> dict[str, object]:
        return {
            "parent": os.getpid(),
            "steps": [
                {"url": step.url, "within_s": step.within_s}
                if isinstance(step, UrlProbe)
                else {"argv": list(step)}
                for step in self.steps
            ],
            "folder": str(self.folder),
            "runner": [*self.prefix, self.python, "-I", "-c", _STEPS.read_text(encoding="utf-8")],
            "environment": {**environment.minimal(), **self.environment},
            "limit_s": self.limit_s,
            "log": str(self.log),
            "log_bytes": LOG_BYTES,
            "result": str(result),
        }


async def _end(child: asyncio.subprocess.Process) -> None:
    """Tell the supervisor to end all its processes, and wait until it has exited."""
    if child.returncode is not None:
        return
    child.terminate()
    try:
        async with asyncio.timeout(_END_S):
            await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
