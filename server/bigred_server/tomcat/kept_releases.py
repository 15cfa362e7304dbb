"""Releases kept in a folder of this machine, and the one of them that Tomcat serves.

All of it blocks: call it in a thread. What fails leaves the old WAR and nothing half-done.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bigred_server.artifacts.files import digest_of, sync, temporary
from bigred_server.errors import NodeError
from bigred_server.tomcat.paths import ReleasePaths, check_disk_space, kept_of, surplus

_READABLE = 0o644


@dataclass(frozen=True)
class KeptReleases:
    """Kept releases and WAR of one node."""

    place: ReleasePaths

    def kept(self) -> frozenset[str]:
        """Give the digests of the kept releases. Raises OSError."""
        try:
            return kept_of(path.name for path in self.place.folder.iterdir())
        except FileNotFoundError:
            return frozenset()

    def free(self) -> int:
        """Give the bytes free for another release. Raises OSError."""
        folder = self.place.folder
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def fetch(self, source: Path, digest: str, keep: frozenset[str]) -> str:
        """Bring a release to the kept ones. Raises NodeError."""
        folder, target = self.place.folder, self.place.kept(digest)
        with _told(f"{target} could not be kept"):
            folder.mkdir(parents=True, exist_ok=True)
            _sweep(folder, self.place.fetching)
            for old in surplus(self.kept(), digest, keep):
                self.place.kept(old).unlink(missing_ok=True)
            if self._is_whole(digest):
                return f"{target} is kept already"
            check_disk_space(str(folder), self.free(), source.stat().st_size)
            with temporary(folder, prefix=self.place.fetching) as part:
                if (found := _copy(source, part)) != digest:
                    raise NodeError(f"the copy in {folder} has SHA-256 {found}, not {digest}")
                part.chmod(_READABLE)
                part.replace(target)
            sync(folder)
        return f"{target} is kept"

    def _is_whole(self, digest: str) -> bool:
        """Say whether a release is kept; one whose bytes have changed goes."""
        target = self.place.kept(digest)
        if not target.exists():
            return False
        if digest_of(target) == digest:
            return True
        target.unlink()
        return False

    def swap(self, digest: str, go_on: Callable[[], None]) -> str:
        """Put a kept release in place of the WAR. Raises NodeError.

        `go_on` is called before each step that Tomcat could notice; what it raises ends the swap.
        What Tomcat unpacked from the old WAR goes first: were we cut off after the rename, the old
        app would be served under the new WAR's name.
        """
        war, kept = self.place.war, self.place.kept(digest)
        with _told(f"{war} could not be replaced"):
            _sweep(war.parent, self.place.swapping)
            if not kept.exists():
                raise NodeError(f"{kept} is not there; fetch the release first")
            with temporary(war.parent, prefix=self.place.swapping) as part:
                if (found := _copy(kept, part)) != digest:
                    kept.unlink()
                    raise NodeError(f"{kept} has SHA-256 {found}; it is removed, fetch it again")
                self._inherit(part)
                if self.place.unpacked.is_dir():
                    go_on()
                    shutil.rmtree(self.place.unpacked)
                go_on()
                part.replace(war)
            sync(war.parent)
        return f"{war} is {digest[:12]}"

    def _inherit(self, part: Path) -> None:
        """Give the new file the owner and mode of the old: Tomcat must be able to read it."""
        try:
            old = self.place.war.stat()
        except FileNotFoundError:
            part.chmod(_READABLE)
            return
        part.chmod(old.st_mode & 0o777)
        if os.geteuid() == 0:
            os.chown(part, old.st_uid, old.st_gid)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn what the system says into a sentence of ours."""
    try:
        yield
    except OSError as error:
        if isinstance(error, NodeError):
            raise
        raise NodeError(f"{what}: {error}; see the disk and who may write there") from error


def _sweep(folder: Path, prefix: str) -> None:
    """Remove what was left by a call that was cut off."""
    for path in folder.iterdir():
        if path.name.startswith(prefix):
            path.unlink(missing_ok=True)


def _copy(source: Path, part: Path) -> str:
    """Copy a file onto the disk; give the digest of what arrived there."""
    shutil.copyfile(source, part)
    sync(part)
    return digest_of(part)
