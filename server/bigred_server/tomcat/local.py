"""A node on this machine: its WAR is a file, its Tomcat is stopped and started by commands."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bigred_server.errors import NodeError
from bigred_server.files import digest_of, sync
from bigred_server.settings import NodeSettings
from bigred_server.tomcat import war

_RUNNING_DEADLINE_S = 5.0
_TAIL = 800

Stamp = tuple[int, int, int]


@dataclass
class LocalNode:
    """One node. Looking never changes it; the acts may be repeated without harm."""

    settings: NodeSettings
    _seen: tuple[Stamp, str, dict[str, str]] | None = field(default=None, init=False)

    def digest(self) -> str | None:
        """Give the digest of the WAR in place, "" when there is none, None when unreadable."""
        seen = self._read()
        return seen if seen is None else seen[0]

    def manifest(self) -> dict[str, str]:
        """Give the manifest of the WAR in place; empty when there is none."""
        seen = self._read()
        return seen[1] if seen else {}

    def _read(self) -> tuple[str, dict[str, str]] | None:
        try:
            status = self.settings.war.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._seen is None or self._seen[0] != stamp:
                digest = digest_of(self.settings.war)
                self._seen = (stamp, digest, war.manifest(self.settings.war))
        except FileNotFoundError:
            return "", {}
        except OSError:
            return None
        return self._seen[1], self._seen[2]

    async def running(self) -> bool | None:
        """Say whether Tomcat's process lives; None when its command can't tell."""
        try:
            code, _ = await run(self.settings.running, _RUNNING_DEADLINE_S)
        except NodeError:
            return None
        return code == 0

    async def stop(self, deadline_s: float) -> str:
        """Stop Tomcat; give what the command printed. Raises NodeError."""
        return await self._do(self.settings.stop, deadline_s)

    async def start(self, deadline_s: float) -> str:
        """Start Tomcat; give what the command printed. Raises NodeError."""
        return await self._do(self.settings.start, deadline_s)

    async def _do(self, command: Sequence[str], deadline_s: float) -> str:
        code, output = await run(command, deadline_s)
        if code != 0:
            raise NodeError(f"{' '.join(command)} ended with {code}: {output or 'no output'}")
        return output

    def swap(self, source: Path, digest: str) -> str:
        """Put a WAR in place: copied beside it, verified, renamed. Raises NodeError.

        Tomcat must be stopped. What it unpacked from the old WAR goes first: were we cut off after
        the rename, the old app would be served under the new WAR's name.
        """
        target = self.settings.war
        try:
            prefix = f".{target.name}.bigred-"
            for left_behind in target.parent.glob(prefix + "*"):
                left_behind.unlink()
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=prefix)
            os.close(handle)
            part = Path(name)
            try:
                shutil.copyfile(source, part)
                sync(part)
                if (found := digest_of(part)) != digest:
                    raise NodeError(
                        f"the copy in {target.parent} has SHA-256 {found}, not {digest}"
                    )
                self._inherit(part)
                if target.with_suffix("").is_dir():
                    shutil.rmtree(target.with_suffix(""))
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
            sync(target.parent)
        except OSError as error:
            if isinstance(error, NodeError):
                raise
            raise NodeError(f"{target} could not be replaced: {error}") from error
        return f"{target} is {digest[:12]}"

    def _inherit(self, part: Path) -> None:
        """Give the new file the owner and mode of the old: Tomcat must be able to read it."""
        try:
            old = self.settings.war.stat()
        except FileNotFoundError:
            part.chmod(0o644)
            return
        part.chmod(old.st_mode & 0o777)
        if os.geteuid() == 0:
            os.chown(part, old.st_uid, old.st_gid)


async def run(command: Sequence[str], deadline_s: float) -> tuple[int, str]:
    """Run a command; give its exit code and the end of what it printed. Raises NodeError.

    The output goes to a file, not a pipe: a Tomcat started in the background may keep it open.
    """
    with tempfile.TemporaryFile() as output:
        try:
            child = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise NodeError(f"{command[0]} can't be run: {error.strerror}") from error
        try:
            code = await asyncio.wait_for(child.wait(), deadline_s)
        except TimeoutError as error:
            with contextlib.suppress(ProcessLookupError):  # it ended at the last moment
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
            raise NodeError(f"{' '.join(command)} was not done in {deadline_s:g} s") from error
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - _TAIL))
        return code, output.read().decode("utf-8", "replace").strip()
