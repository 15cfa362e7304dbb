"""A job: one command of a build or a test stage, run by a keeper of its own."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ValidationError

from bigred_server.errors import BuildError

_KEEPER = Path(__file__).with_name("supervisor.py")
LOG_BYTES = 10 * 1024 * 1024
_END_S = 20.0


class Result(BaseModel):
    """How a job ended: `code` of its last command, None where it was ended, and `why`.

    `printed` in bytes, of which the log keeps the beginning and the end. `left`: how many processes
    it left behind; they were killed.
    """

    code: int | None
    why: str
    took_s: float
    printed: int
    left: int


@dataclass(frozen=True)
class CommandRun:
    """Wait until something answers at a URL."""

    url: str
    within_s: float


@dataclass(frozen=True)
class Job:
    """Commands, one after the other until one fails, within `limit_s` all together.

    `folder`: where they run; `log`: what they print goes there, and `work` holds the keeper's own
    files.
    """

    steps: Sequence[Sequence[str] | CommandRun]
    folder: Path
    log: Path
    work: Path
    limit_s: float
    environment: Mapping[str, str] = field(default_factory=dict)

    async def run(self) -> Result:
        """Run it; all its processes are gone afterwards. Raises BuildError when it can't be run."""
        spec, result = self.work / "job.json", self.work / "result.json"
        result.unlink(missing_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        spec.write_text(json.dumps(self._spec(result)), encoding="utf-8")
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(_KEEPER),
            str(spec),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, told = await child.communicate()
        except asyncio.CancelledError:
            await _end(child)
            raise
        try:
            return Result.model_validate_json(result.read_bytes())
        except (OSError, ValidationError) as error:
            said = told.decode("utf-8", "replace").strip()[-500:]
            raise BuildError(f"its keeper ended with {child.returncode}: {said}") from error

    def _spec(self, result: Path) -> dict[str, object]:
        return {
            "parent": os.getpid(),
            "steps": [
                {"url": step.url, "within_s": step.within_s}
                if isinstance(step, CommandRun)
                else {"argv": list(step)}
                for step in self.steps
            ],
            "folder": str(self.folder),
            "environment": {**os.environ, **self.environment},
            "limit_s": self.limit_s,
            "log": str(self.log),
            "log_bytes": LOG_BYTES,
            "result": str(result),
        }


async def _end(child: asyncio.subprocess.Process) -> None:
    """Have the keeper end all it keeps, and wait for it."""
    if child.returncode is not None:
        return
    child.terminate()
    try:
        async with asyncio.timeout(_END_S):
            await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
