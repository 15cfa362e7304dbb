"""A Host on another machine, reached by SSH and SFTP.

That machine needs only sshd, a POSIX login shell, sftp and GNU coreutils. Every command ends there
by itself when its time is up, so that a call given up here never takes effect late.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path, PurePath

from bigred_server.errors import NodeError
from bigred_server.rollout.core.observation import HostLook
from bigred_server.settings import NodeSettings
from bigred_server.tomcat import remote
from bigred_server.tomcat.connection import SshConnection
from bigred_server.tomcat.local import RUNNING_DEADLINE_S, TAIL, printed
from bigred_server.tomcat.paths import (
    ReleasePaths,
    check_disk_space,
    configured,
    release_paths,
    surplus,
)

SCRIPT = resources.files("bigred_server.tomcat").joinpath("remote.sh").read_text(encoding="utf-8")

# Time for a call that reads no release; the connection may have to be opened first.
SHORT_DEADLINE_S = 10.0
# Time for a call that reads or copies a release, on top of what a slow disk or network needs.
LONG_DEADLINE_S = 30.0
COPY_DEADLINE_S = 120.0
SLOWEST_DISK_BYTES_S = 10 << 20
SLOWEST_UPLOAD_BYTES_S = 1 << 20
# A call ends on the host this long before we give it up; its clock starts a little later there.
_EARLIER_S = 0.5
_EARLIER_SHARE = 0.2


@dataclass
class SshHost:
    """The machine of one node; all nodes of a machine share the connection."""

    settings: NodeSettings
    connection: SshConnection
    _paths: ReleasePaths = field(init=False)
    _cached: tuple[str, str, dict[str, str]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Raise NodeError if the node has no WAR."""
        self._paths = release_paths(self.settings)

    async def look(self, *, answers: bool) -> HostLook:
        """See Host. This takes one remote command, and more only if the WAR has changed."""
        running = () if answers else self.settings.running or ()
        try:
            seen = await self._look(running)
        except NodeError as error:
            return HostLook(running=True if answers else None, problem=str(error))
        problem = seen.problem
        digest: str | None = None
        manifest: dict[str, str] = {}
        try:
            digest, manifest = await self._read(seen)
        except NodeError as error:
            problem = problem or str(error)
        return HostLook(
            digest=digest,
            running=True if answers else seen.running,
            manifest=manifest,
            kept=seen.kept,
            free=seen.free,
            problem=problem,
        )

    async def _look(self, running: Sequence[str]) -> remote.RemoteLook:
        limit_s = str(math.ceil(RUNNING_DEADLINE_S))
        paths = str(self._paths.war), str(self._paths.folder)
        return remote.look(await self._run_remote("look", *paths, limit_s, *running))

    async def _read(self, seen: remote.RemoteLook) -> tuple[str | None, dict[str, str]]:
        """Return digest and manifest of the WAR in place; read it again only if it changed."""
        if not seen.stamp:
            return (None if seen.stamp is None else ""), {}
        if self._cached is None or self._cached[0] != seen.stamp:
            deadline_s = LONG_DEADLINE_S + seen.size / SLOWEST_DISK_BYTES_S
            war = str(self._paths.war)
            digest = await self._run_remote("digest", war, deadline_s=deadline_s)
            async with self.connection.files(deadline_s, f"reading the manifest of {war}") as files:
                self._cached = (seen.stamp, digest, await remote.manifest(files, war))
        return self._cached[1], self._cached[2]

    async def copy_war(self, target: Path) -> None:
        """See Host."""
        war = str(self._paths.war)
        async with self.connection.files(LONG_DEADLINE_S, f"reading the size of {war}") as files:
            size = (await files.stat(war)).size or 0
        deadline_s = LONG_DEADLINE_S + size / SLOWEST_UPLOAD_BYTES_S
        async with self.connection.files(deadline_s, f"copying {war} here") as files:
            await files.get(war, str(target), sparse=False)

    async def fetch(self, source: Path, digest: str, keep: frozenset[str]) -> str:
        """See Host."""
        size = await asyncio.to_thread(_size, source)
        target, deadline_s = self._paths.kept(digest), LONG_DEADLINE_S + size / SLOWEST_DISK_BYTES_S
        old = surplus((await self._look(())).kept, digest, keep)
        folder, mark = str(self._paths.folder), self._paths.fetching
        removed = [str(self._paths.kept(one)) for one in old]
        state = await self._run_remote(
            "prepare", folder, str(target), digest, mark, *removed, deadline_s=deadline_s
        )
        if state == "whole":
            return f"{target} is already kept on {self.connection}"
        check_disk_space(f"{folder} on {self.connection}", remote.look(state).free or 0, size)
        part = f"{folder}/{mark}{secrets.token_hex(8)}"
        try:
            upload_s = LONG_DEADLINE_S + size / SLOWEST_UPLOAD_BYTES_S
            async with self.connection.files(upload_s, f"sending {target.name}") as files:
                await files.put(str(source), part, sparse=False)
            await self._run_remote("keep", part, str(target), digest, deadline_s=deadline_s)
        except NodeError as error:
            raise NodeError(f"{error}; {await self._discard(part)}") from error
        return f"{target} is kept on {self.connection}"

    async def _discard(self, part: str) -> str:
        """Delete a partial upload; return how full the disk is, which SFTP does not report."""
        try:
            state = await self._run_remote("discard", part, deadline_s=SHORT_DEADLINE_S)
        except NodeError:
            return "the next try deletes the partial upload"
        return f"{(remote.look(state).free or 0) >> 10} KiB are free there; check the disk"

    async def swap(self, digest: str) -> str:
        """See Host. Of its two steps, only the second, short one changes what Tomcat sees."""
        war, kept = str(self._paths.war), str(self._paths.kept(digest))
        copied = await self._run_remote(
            "copy", kept, digest, war, self._paths.swapping, deadline_s=COPY_DEADLINE_S
        )
        part = copied.removeprefix("copied ")
        unpacked = str(self._paths.unpacked)
        await self._run_remote("replace", part, war, unpacked, deadline_s=LONG_DEADLINE_S)
        return f"{war} on {self.connection} is {digest[:12]}"

    async def stop(self, deadline_s: float) -> str:
        """See Host."""
        return await self._do(configured(self.settings.stop, "stop"), deadline_s)

    async def start(self, deadline_s: float) -> str:
        """See Host."""
        return await self._do(configured(self.settings.start, "start"), deadline_s)

    async def _do(self, command: Sequence[str], deadline_s: float) -> str:
        limit_s = _earlier(_earlier(deadline_s))
        call = ["command_of", str(limit_s), str(TAIL), *command]
        code, output = await self._call(" ".join(command), deadline_s, *call)
        return printed([f"{self.connection}:", *command], code, output)

    async def _run_remote(self, *call: str, deadline_s: float = SHORT_DEADLINE_S) -> str:
        """Call a function of remote.sh; return its output. Raise NodeError if it failed."""
        code, output = await self._call(call[0], deadline_s, *call)
        if code != 0:
            raise NodeError(f"{self.connection}: {output or f'{call[0]} ended with {code}'}")
        return output

    async def _call(self, what: str, deadline_s: float, *call: str) -> tuple[int, str]:
        limit = ["timeout", "-s", "KILL", str(_earlier(deadline_s))]
        words = [*limit, "sh", "-c", SCRIPT, "bigred"]
        until_ms = self.connection.clock.host_ms(time.monotonic() + deadline_s)
        code, output = await self.connection.run([*words, str(until_ms), *call], what, deadline_s)
        text, now_ms = remote.answer(output)
        if now_ms is not None:
            self.connection.clock.set(now_ms)
        if code in remote.KILLED:
            raise NodeError(
                f"{self.connection}: {what} was killed: it did not finish within {deadline_s:g} s, "
                "or somebody else killed it; whether it took effect is unknown"
            )
        if code == 0 and now_ms is None:
            raise NodeError(
                f"{self.connection}: {what} gave an unexpected answer: {output[:200]!r}"
            )
        return code, text

    def kept(self, digest: str) -> PurePath:
        """See Host."""
        return self._paths.kept(digest)

    async def close(self) -> None:
        """See Host. The connection is shared: another node's next call opens it again."""
        await self.connection.close()


def _earlier(deadline_s: float) -> float:
    return deadline_s - min(_EARLIER_S, deadline_s * _EARLIER_SHARE)


def _size(source: Path) -> int:
    try:
        return source.stat().st_size
    except OSError as error:
        raise NodeError(f"{source} can't be read: {error.strerror}; submit it again") from error
