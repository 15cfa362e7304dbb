"""Releases kept in a folder of this machine, and the one that Tomcat serves.

Everything here blocks: call it in a thread. A failure leaves the old WAR and nothing half-done.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bigred_server.artifacts.files import digest_of, sync, temporary
from bigred_server.errors import NodeError
from bigred_server.tomcat.paths import ReleasePaths, check_disk_space, kept_digests, surplus

_READABLE = 0o644


@dataclass(frozen=True)
class KeptReleases:
    """The kept releases and the WAR of one node."""

    paths: ReleasePaths

    def kept(self) -> frozenset[str]:
        """Return the digests of the kept releases. Raise OSError on failure."""
        try:
            return kept_digests(os.listdir(self.paths.folder))  # noqa: PTH208
        except FileNotFoundError:
            return frozenset()

    def free(self) -> int:
        """Return the bytes free for another release. Raise OSError on failure."""
        folder = self.paths.folder
        while True:
            try:
                found = os.statvfs(folder)
            except FileNotFoundError:
                if folder == folder.parent:
                    raise
                folder = folder.parent
            else:
                return found.f_bavail * found.f_frsize

    def fetch(self, source: Path, digest: str, keep: frozenset[str]) -> str:
        """Copy a release into the folder of kept releases. Raise NodeError on failure."""
        folder, target = self.paths.folder, self.paths.kept(digest)
        with _node_error(f"{target} could not be kept"):
            folder.mkdir(parents=True, exist_ok=True)
            _sweep(folder, self.paths.fetching)
            for old in surplus(self.kept(), digest, keep):
                self.paths.kept(old).unlink(missing_ok=True)
            if self._is_whole(digest):
                return f"{target} is already kept"
            check_disk_space(str(folder), self.free(), source.stat().st_size)
            with temporary(folder, prefix=self.paths.fetching) as part:
                if (found := _copy(source, part)) != digest:
                    raise NodeError(f"the copy in {folder} has SHA-256 {found}, not {digest}")
                part.chmod(_READABLE)
                part.replace(target)
            sync(folder)
        return f"{target} is kept"

    def _is_whole(self, digest: str) -> bool:
        """Return whether a release is kept; delete it if its bytes have changed."""
        target = self.paths.kept(digest)
        if not target.exists():
            return False
        if digest_of(target) == digest:
            return True
        target.unlink()
        return False

    def swap(self, digest: str, checkpoint: Callable[[], None]) -> str:
        """Replace the WAR by a kept release. Raise NodeError on failure.

        `checkpoint` is called before each step that Tomcat could notice; an error it raises ends
        the swap. The folder that Tomcat unpacked from the old WAR is deleted first: if we were cut
        off after the rename, Tomcat would serve the old app under the new WAR's name.
        """
        war, kept = self.paths.war, self.paths.kept(digest)
        with _node_error(f"{war} could not be replaced"):
            _sweep(war.parent, self.paths.swapping)
            if not kept.exists():
                raise NodeError(f"{kept} does not exist; fetch the release first")
            with temporary(war.parent, prefix=self.paths.swapping) as part:
                if (found := _copy(kept, part)) != digest:
                    kept.unlink()
                    raise NodeError(f"{kept} has SHA-256 {found}; it was deleted, fetch it again")
                self._inherit(part)
                if self.paths.unpacked.is_dir():
                    checkpoint()
                    shutil.rmtree(self.paths.unpacked)
                checkpoint()
                part.replace(war)
            sync(war.parent)
        return f"{war} is {digest[:12]}"

    def _inherit(self, part: Path) -> None:
        """Give the new file the owner and mode of the old one, so that Tomcat can read it."""
        try:
            old = self.paths.war.stat()
        except FileNotFoundError:
            part.chmod(_READABLE)
            return
        part.chmod(old.st_mode & 0o777)
        if os.geteuid() == 0:
            os.chown(part, old.st_uid, old.st_gid)


@contextlib.contextmanager
def _node_error(what: str) -> Iterator[None]:
    """Turn an OSError into a NodeError that says what failed and what to check."""
    try:
        yield
    except OSError as error:
        if isinstance(error, NodeError):
            raise
        raise NodeError(f"{what}: {error}; check the disk and the permissions") from error


def _sweep(folder: Path, prefix: str) -> None:
    """Delete what interrupted calls left behind."""
    for path in folder.iterdir():
        if path.name.startswith(prefix):
            path.unlink(missing_ok=True)


def _copy(source: Path, part: Path) -> str:
    """Copy a file onto the disk; return the digest of the copy."""
    shutil.copyfile(source, part)
    sync(part)
    return digest_of(part)
