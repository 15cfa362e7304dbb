"""The hook runner: runs an app's own commands on this machine, with a time limit and a log."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bigred_server import private_files
from bigred_server.environment import minimal
from bigred_server.errors import HookError
from bigred_server.model.hook import Hook, HookCommand

_TAIL = 2000
# The programs that they call look there for their settings.
_OWN = ("HOME", "TMPDIR")


@dataclass(frozen=True)
class HookRunner:
    """Runs the hooks of one app. `folder`: their output, one file per hook and deployment.

    They come from the configuration, not from a repository: they run as the server's user, in its
    home, without a sandbox. `inherit`: the variables of the server that they get as well.
    """

    commands: Mapping[Hook, HookCommand]
    folder: Path
    inherit: tuple[str, ...] = ()

    async def run(self, hook: Hook, deployment: str, environment: Mapping[str, str]) -> str:
        """Run a hook and return the end of its output. Raise HookError if it fails.

        Its whole process group is killed when it ends, when its time is up or when the server
        stops.
        """
        command, limit_s = self.commands[hook].line, self.commands[hook].limit_s
        log = self.folder / f"{deployment}-{hook}.log"
        try:
            private_files.make_folder(self.folder)
            private_files.make_file(log)
            with log.open("wb") as output:
                child = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    env={**minimal({*_OWN, *self.inherit}), **environment},
                )
        except OSError as error:
            raise HookError(f"{command[0]} can't be run: {error.strerror}") from error
        try:
            code = await asyncio.wait_for(child.wait(), limit_s)
        except TimeoutError as error:
            raise HookError(f"it did not finish within {limit_s:g} s; {_output(log)}") from error
        finally:
            # This includes what the hook left running in the background: nobody waits for it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
        if code != 0:
            raise HookError(f"it exited with code {code}; {_output(log)}")
        return _output(log)


def _output(log: Path) -> str:
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        text = file.read().decode("utf-8", "replace").strip()
    return f"{log}: {text}" if text else "it printed nothing"
