"""The store: release files named by their SHA-256, never modified, verified when read."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bigred_server import private_files
from bigred_server.artifacts.files import copy, digest_of, sync, temporary
from bigred_server.artifacts.space import shortage
from bigred_server.errors import ReleaseError
from bigred_server.model.disk_space import SPARE_BYTES
from bigred_server.model.war_limits import WarLimits

_WAR = ".war"
_PART = ".part"
_READ_ONLY = 0o400

Copier = Callable[[Path, Path], str]
"""Copies a file to another one; returns the SHA-256 of the copy, or refuses it."""


@dataclass(frozen=True)
class Kept:
    """A file in the store. `digest` is "" for a partial file that an interrupted submission left.

    `size` is in bytes, `changed_at` in seconds of Unix time.
    """

    path: Path
    digest: str
    size: int
    changed_at: float


@dataclass(frozen=True)
class Store:
    """A folder of releases. `limits`: what a WAR that is submitted may demand."""

    folder: Path
    limits: WarLimits = field(default_factory=WarLimits)

    def path(self, digest: str) -> Path:
        """Return the path of a release."""
        return self.folder / f"{digest}{_WAR}"

    def put(self, source: Path, copier: Copier = copy) -> str:
        """Copy a WAR into the store; return its digest. Raise ReleaseError if that fails.

        `copier` may refuse the copy: then, as after any failure, nothing of it stays. The source is
        read once, so it does not matter what becomes of it.
        """
        try:
            private_files.make_folder(self.folder)
            self._check_disk_space(source)
            return self._put(source, copier)
        except OSError as error:
            raise ReleaseError(f"{source} could not be stored in {self.folder}: {error}") from error

    def _check_disk_space(self, source: Path) -> None:
        size = source.stat().st_size
        if lacks := shortage(self.folder, source.name, size, SPARE_BYTES):
            raise ReleaseError(lacks)

    def _put(self, source: Path, copier: Copier) -> str:
        with self.part() as part:
            digest = copier(source, part)
            part.chmod(_READ_ONLY)
            part.replace(self.path(digest))
        sync(self.folder)
        return digest

    @contextlib.contextmanager
    def part(self) -> Iterator[Path]:
        """Create a file for an upload in progress; remove it when the block ends."""
        private_files.make_folder(self.folder)
        with self._lock(fcntl.LOCK_SH), temporary(self.folder, suffix=_PART) as part:
            private_files.leave_to_owner(part)
            yield part

    def sweep(self) -> list[Path]:
        """Remove what uploads that were killed have left, unless one is in progress; return it.

        Raise OSError on failure.
        """
        if not self.folder.is_dir():
            return []
        with self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB) as is_held:
            left = [path for path in self.folder.glob(f"*{_PART}") if is_held]
            for path in left:
                path.unlink(missing_ok=True)
        return left

    @contextlib.contextmanager
    def _lock(self, operation: int) -> Iterator[bool]:
        """Lock the folder until the block ends; yield whether that was possible."""
        handle = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(handle, operation)
                is_held = True
            except OSError:
                # Somebody has it, or the file system knows no locks.
                is_held = False
            yield is_held
        finally:
            os.close(handle)

    def size(self, digest: str) -> int:
        """Return the size of a release in bytes."""
        return self.path(digest).stat().st_size

    def get(self, digest: str) -> Path:
        """Return a release's path. Raise ReleaseError if the file is missing or damaged."""
        path = self.path(digest)
        if not path.exists():
            raise ReleaseError(f"{path} is missing: submit the release again")
        found = digest_of(path)
        if found != digest:
            raise ReleaseError(f"{path} has changed (its SHA-256 is {found}): submit it again")
        return path

    def has(self, digest: str) -> bool:
        """Return whether the store has a release, without reading it."""
        return self.path(digest).exists()

    def contents(self) -> list[Kept]:
        """List the files, oldest first. Raise ReleaseError if the folder can't be read."""
        try:
            return sorted(self._contents(), key=lambda kept: kept.changed_at)
        except OSError as error:
            raise ReleaseError(f"{self.folder} can't be read: {error}") from error

    def _contents(self) -> Iterator[Kept]:
        for path in self.folder.iterdir() if self.folder.exists() else ():
            if path.suffix not in (_WAR, _PART):
                continue
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                digest = path.stem if path.suffix == _WAR else ""
                yield Kept(path, digest, stat.st_size, stat.st_mtime)

    def remove(self, files: Iterable[Kept]) -> None:
        """Remove files. Raise ReleaseError, naming the first one that can't be removed."""
        for file in files:
            try:
                file.path.unlink(missing_ok=True)
            except OSError as error:
                raise ReleaseError(f"{file.path} can't be removed: {error.strerror}") from error

    def forget(self, digest: str) -> None:
        """Remove a release that was never recorded in the journal."""
        with contextlib.suppress(FileNotFoundError):
            self.path(digest).unlink()
