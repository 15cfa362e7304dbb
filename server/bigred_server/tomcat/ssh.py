"""A host on another machine, by SSH and SFTP: a Host.

Nothing is needed there but sshd, a POSIX login shell, its sftp and GNU coreutils. What is run there
ends there by itself when its time is over, so that nothing comes late from a call given up here.
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
from bigred_server.tomcat.paths import ReleasePaths, check_disk_space, configured, place_of, surplus

SCRIPT = resources.files("bigred_server.tomcat").joinpath("remote.sh").read_text(encoding="utf-8")

# Time for a call over there that reads no release: the connection may have to be opened first.
SHORT_DEADLINE_S = 10.0
# Time for one that does, or brings it, beyond what it takes a slow disk or network.
LONG_DEADLINE_S = 30.0
COPY_DEADLINE_S = 120.0
SLOWEST_DISK_BYTES_S = 10 << 20
SLOWEST_UPLOAD_BYTES_S = 1 << 20
# How long before it is given up here a call is ended over there; its clock starts a little later.
_BEFORE_S = 0.5
_BEFORE_SHARE = 0.2


@dataclass
class SshHost:
    """The machine of one node; its nodes share the line."""

    settings: NodeSettings
    line: SshConnection
    _place: ReleasePaths = field(init=False)
    _known: tuple[str, str, dict[str, str]] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Raise NodeError when the node has no WAR."""
        self._place = place_of(self.settings)

    async def look(self, *, answers: bool) -> HostLook:
        """See Host. One command over there, and more only when the WAR has changed."""
        running = () if answers else self.settings.running or ()
        try:
            seen = await self._look(running)
        except NodeError as error:
            return HostLook(running=True if answers else None, trouble=str(error))
        trouble = seen.trouble
        digest: str | None = None
        manifest: dict[str, str] = {}
        try:
            digest, manifest = await self._read(seen)
        except NodeError as error:
            trouble = trouble or str(error)
        return HostLook(
            digest=digest,
            running=True if answers else seen.running,
            manifest=manifest,
            kept=seen.kept,
            free=seen.free,
            trouble=trouble,
        )

    async def _look(self, running: Sequence[str]) -> remote.RemoteLook:
        limit_s = str(math.ceil(RUNNING_DEADLINE_S))
        paths = str(self._place.war), str(self._place.folder)
        return remote.look(await self._far("look", *paths, limit_s, *running))

    async def _read(self, seen: remote.RemoteLook) -> tuple[str | None, dict[str, str]]:
        """Give digest and manifest of the WAR in place; read anew only when the file changed."""
        if not seen.stamp:
            return (None if seen.stamp is None else ""), {}
        if self._known is None or self._known[0] != seen.stamp:
            deadline_s = LONG_DEADLINE_S + seen.size / SLOWEST_DISK_BYTES_S
            war = str(self._place.war)
            digest = await self._far("digest", war, deadline_s=deadline_s)
            async with self.line.files(deadline_s, f"reading the manifest of {war}") as files:
                self._known = (seen.stamp, digest, await remote.manifest(files, war))
        return self._known[1], self._known[2]

    async def copy_war(self, target: Path) -> None:
        """See Host."""
        war = str(self._place.war)
        async with self.line.files(LONG_DEADLINE_S, f"asking the size of {war}") as files:
            size = (await files.stat(war)).size or 0
        deadline_s = LONG_DEADLINE_S + size / SLOWEST_UPLOAD_BYTES_S
        async with self.line.files(deadline_s, f"copying {war} here") as files:
            await files.get(war, str(target), sparse=False)

    async def fetch(self, source: Path, digest: str, keep: frozenset[str]) -> str:
        """See Host."""
        size = await asyncio.to_thread(_size, source)
        target, deadline_s = self._place.kept(digest), LONG_DEADLINE_S + size / SLOWEST_DISK_BYTES_S
        old = surplus((await self._look(())).kept, digest, keep)
        folder, mark = str(self._place.folder), self._place.fetching
        removed = [str(self._place.kept(one)) for one in old]
        said = await self._far(
            "prepare", folder, str(target), digest, mark, *removed, deadline_s=deadline_s
        )
        if said == "whole":
            return f"{target} is kept already on {self.line}"
        check_disk_space(f"{folder} on {self.line}", remote.look(said).free or 0, size)
        part = f"{folder}/{mark}{secrets.token_hex(8)}"
        try:
            upload_s = LONG_DEADLINE_S + size / SLOWEST_UPLOAD_BYTES_S
            async with self.line.files(upload_s, f"sending {target.name}") as files:
                await files.put(str(source), part, sparse=False)
            await self._far("keep", part, str(target), digest, deadline_s=deadline_s)
        except NodeError as error:
            raise NodeError(f"{error}; {await self._discard(part)}") from error
        return f"{target} is kept on {self.line}"

    async def _discard(self, part: str) -> str:
        """Remove what an upload left; say how the disk stands, which SFTP does not tell."""
        try:
            said = await self._far("discard", part, deadline_s=SHORT_DEADLINE_S)
        except NodeError:
            return "what was sent is removed by the next try"
        return f"{(remote.look(said).free or 0) >> 10} KiB are free there; see the disk"

    async def swap(self, digest: str) -> str:
        """See Host. In two steps: only the second, which is short, changes what Tomcat sees."""
        war, kept = str(self._place.war), str(self._place.kept(digest))
        copied = await self._far(
            "copy", kept, digest, war, self._place.swapping, deadline_s=COPY_DEADLINE_S
        )
        part = copied.removeprefix("copied ")
        unpacked = str(self._place.unpacked)
        await self._far("replace", part, war, unpacked, deadline_s=LONG_DEADLINE_S)
        return f"{war} on {self.line} is {digest[:12]}"

    async def stop(self, deadline_s: float) -> str:
        """See Host."""
        return await self._do(configured(self.settings.stop, "stop"), deadline_s)

    async def start(self, deadline_s: float) -> str:
        """See Host."""
        return await self._do(configured(self.settings.start, "start"), deadline_s)

    async def _do(self, command: Sequence[str], deadline_s: float) -> str:
        limit_s = _earlier(_earlier(deadline_s))
        call = ["command_of", str(limit_s), str(TAIL), *command]
        code, said = await self._call(" ".join(command), deadline_s, *call)
        return printed([f"{self.line}:", *command], code, said)

    async def _far(self, *call: str, deadline_s: float = SHORT_DEADLINE_S) -> str:
        """Call a function of remote.sh; give what it printed. Raises NodeError when it failed."""
        code, said = await self._call(call[0], deadline_s, *call)
        if code != 0:
            raise NodeError(f"{self.line}: {said or f'{call[0]} ended with {code}'}")
        return said

    async def _call(self, what: str, deadline_s: float, *call: str) -> tuple[int, str]:
        limit = ["timeout", "-s", "KILL", str(_earlier(deadline_s))]
        words = [*limit, "sh", "-c", SCRIPT, "bigred"]
        until_ms = self.line.clock.there(time.monotonic() + deadline_s)
        code, said = await self.line.run([*words, str(until_ms), *call], what, deadline_s)
        text, now_ms = remote.answer(said)
        if now_ms is not None:
            self.line.clock.set(now_ms)
        if code in remote.KILLED:
            raise NodeError(
                f"{self.line}: {what} was killed: it was not done in {deadline_s:g} s, or somebody "
                "else ended it; whether it took effect is unknown"
            )
        if code == 0 and now_ms is None:
            raise NodeError(f"{self.line}: {what} gave no answer of ours but {said[:200]!r}")
        return code, text

    def kept(self, digest: str) -> PurePath:
        """See Host."""
        return self._place.kept(digest)

    async def close(self) -> None:
        """See Host. The line is shared: another node's next call opens it again."""
        await self.line.close()


def _earlier(deadline_s: float) -> float:
    return deadline_s - min(_BEFORE_S, deadline_s * _BEFORE_SHARE)


def _size(source: Path) -> int:
    try:
        return source.stat().st_size
    except OSError as error:
        raise NodeError(f"{source} can't be read: {error.strerror}; submit it again") from error
