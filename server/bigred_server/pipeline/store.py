"""The store: releases as files named by their SHA-256, never changed, checked when read."""

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bigred_server.errors import ReleaseError
from bigred_server.files import digest_of, sync

_HEADROOM = 64 * 1024 * 1024


@dataclass(frozen=True)
class Store:
    """A folder of releases."""

    folder: Path

    def path(self, digest: str) -> Path:
        """Say where a release is kept."""
        return self.folder / f"{digest}.war"

    def put(self, source: Path) -> str:
        """Take in a copy of a WAR; give its digest. Raises ReleaseError when it can't be kept."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._check_room(source)
            return self._put(source)
        except OSError as error:
            raise ReleaseError(f"{source} could not be kept in {self.folder}: {error}") from error

    def _check_room(self, source: Path) -> None:
        size = source.stat().st_size
        free = shutil.disk_usage(self.folder).free
        if free < size + _HEADROOM:
            raise ReleaseError(
                f"{self.folder} has {free >> 20} MiB free; {source.name} needs {size >> 20} MiB "
                f"and {_HEADROOM >> 20} MiB to spare"
            )

    def _put(self, source: Path) -> str:
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
        os.close(handle)
        part = Path(name)
        try:
            shutil.copyfile(source, part)
            sync(part)
            digest = digest_of(part)
            part.chmod(0o444)
            part.replace(self.path(digest))
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        sync(self.folder)
        return digest

    def size(self, digest: str) -> int:
        """Give the size of a release in bytes."""
        return self.path(digest).stat().st_size

    def get(self, digest: str) -> Path:
        """Give a release's file, its bytes verified. Raises ReleaseError when they are not."""
        path = self.path(digest)
        if not path.exists():
            raise ReleaseError(f"{path} is missing: submit the release again")
        found = digest_of(path)
        if found != digest:
            raise ReleaseError(f"{path} was changed (its SHA-256 is {found}): submit it again")
        return path

    def forget(self, digest: str) -> None:
        """Remove a release that was never written to the journal."""
        with contextlib.suppress(FileNotFoundError):
            self.path(digest).unlink()
