"""A host on this machine: plain files, and commands that stop and start Tomcat."""

import asyncio
import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath

from bigred_server.artifacts import war
from bigred_server.artifacts.files import copy, digest_of
from bigred_server.artifacts.interruptible import in_thread
from bigred_server.errors import NodeError
from bigred_server.rollout.core.observation import HostLook
from bigred_server.settings import NodeSettings
from bigred_server.tomcat.kept_releases import KeptReleases
from bigred_server.tomcat.paths import ReleasePaths, configured, release_paths
from bigred_server.tomcat.short_calls import ShortCalls

RUNNING_DEADLINE_S = 5.0
TAIL = 800

Stamp = tuple[int, int, int, int]


@dataclass
class LocalHost:
    """A Host: this machine, for one node. `calls`: what the hosts of one process share."""

    settings: NodeSettings
    calls: ShortCalls[HostLook] = field(default_factory=ShortCalls)
    _paths: ReleasePaths = field(init=False)
    _kept: KeptReleases = field(init=False)
    _cached: tuple[Stamp, str, dict[str, str]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Raise NodeError if the node has no WAR."""
        self._paths = release_paths(self.settings)
        self._kept = KeptReleases(self._paths)

    async def look(self, *, answers: bool) -> HostLook:
        """See Host."""
        running = True if answers else await self._running()
        return await self.calls.run(partial(self._look, running))

    def _look(self, running: bool | None) -> HostLook:
        digest: str | None = None
        manifest: dict[str, str] = {}
        kept: frozenset[str] = frozenset()
        free: int | None = None
        problem = []
        try:
            digest, manifest = self._read()
        except OSError as error:
            problem.append(f"{self._paths.war} can't be read: {error.strerror or error}")
        try:
            kept, free = self._kept.kept(), self._kept.free()
        except OSError as error:
            problem.append(f"{self._paths.folder} can't be read: {error.strerror or error}")
        return HostLook(digest, running, manifest, kept, free, problem="; ".join(problem))

    def _read(self) -> tuple[str, dict[str, str]]:
        """Return digest and manifest of the WAR in place; read it again only if it changed."""
        path = self._paths.war
        try:
            status = path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
            if self._cached is None or self._cached[0] != stamp:
                self._cached = (stamp, digest_of(path), war.manifest(path))
        except FileNotFoundError:
            return "", {}
        return self._cached[1], self._cached[2]

    async def _running(self) -> bool | None:
        if self.settings.running is None:
            return None
        try:
            code, _ = await run(self.settings.running, RUNNING_DEADLINE_S)
        except NodeError:
            return None
        return code == 0

    async def copy_war(self, target: Path) -> None:
        """See Host."""
        try:
            await in_thread(
                lambda checkpoint: copy(self._paths.war, target, lambda _copied: checkpoint())
            )
        except OSError as error:
            raise NodeError(f"{self._paths.war} can't be copied to {target}: {error}") from error

    async def fetch(self, source: Path, digest: str, keep: frozenset[str]) -> str:
        """See Host."""
        return await asyncio.to_thread(self._kept.fetch, source, digest, keep)

    async def swap(self, digest: str) -> str:
        """See Host. Once the caller has been cancelled, the WAR is not replaced any more."""
        cancelled = threading.Event()

        def checkpoint() -> None:
            if cancelled.is_set():
                raise NodeError(f"the swap of {self._paths.war} was cancelled")

        try:
            return await asyncio.to_thread(self._kept.swap, digest, checkpoint)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def stop(self, deadline_s: float) -> str:
        """See Host."""
        return await self._do(configured(self.settings.stop, "stop"), deadline_s)

    async def start(self, deadline_s: float) -> str:
        """See Host."""
        return await self._do(configured(self.settings.start, "start"), deadline_s)

    async def _do(self, command: Sequence[str], deadline_s: float) -> str:
        return printed(command, *await run(command, deadline_s))

    def kept(self, digest: str) -> PurePath:
        """See Host."""
        return self._paths.kept(digest)

    async def close(self) -> None:
        """See Host."""


def printed(command: Sequence[str], code: int, output: str) -> str:
    """Return what a command printed. Raise NodeError if it failed."""
    if code != 0:
        raise NodeError(f"{' '.join(command)} ended with {code}: {output or 'no output'}")
    return output


async def run(command: Sequence[str], deadline_s: float) -> tuple[int, str]:
    """Run a command; return its exit code and the end of its output. Raise NodeError on failure.

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
            raise NodeError(
                f"{' '.join(command)} did not finish within {deadline_s:g} s"
            ) from error
        finally:
            if child.returncode is None:  # abandoned: it must not take effect later
                with contextlib.suppress(ProcessLookupError):  # it has just ended
                    os.killpg(child.pid, signal.SIGKILL)
                await child.wait()
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - TAIL))
        return code, output.read().decode("utf-8", "replace").strip()
