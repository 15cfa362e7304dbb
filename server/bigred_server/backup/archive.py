"""The file of a backup: a plain tar with the manifest first."""

import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bigred_server.backup.manifest import CONFIG, JOURNAL, NAME, RELEASES, Manifest, Member, decode
from bigred_server.errors import BackupError

Advance = Callable[[int], None]
"""Is called with each number of bytes that was read or written."""

_CHUNK = 1 << 20
_MANIFEST_BYTES = 16 << 20
_MODE = 0o600
_NAME = re.compile(
    rf"{re.escape(JOURNAL)}|{RELEASES}[0-9a-f]{{64}}\.war|{CONFIG}[A-Za-z0-9_][A-Za-z0-9_.-]*"
)


def write(to: Path, manifest: Manifest, sources: dict[str, IO[bytes]], advance: Advance) -> None:
    """Write a tar with the files that the manifest names. Raise BackupError if one has changed."""
    with to.open("wb") as file, tarfile.open(fileobj=file, mode="w:") as tar:
        text = manifest.model_dump_json(indent=2).encode()
        tar.addfile(_info(NAME, len(text), manifest.made_at), io.BytesIO(text))
        for member in manifest.files:
            reader = _Digesting(sources[member.name], advance)
            tar.addfile(_info(member.name, member.size, manifest.made_at), reader)
            if reader.digest != member.sha256:
                raise BackupError(f"{member.name} changed while it was copied; try again")


def verify(backup: Path, advance: Advance) -> Manifest:
    """Read a whole backup; return its manifest. Raise BackupError if anything in it is wrong."""
    with _explained(backup), _opened(backup) as (tar, manifest):
        for _ in _files(tar, manifest, advance):
            pass
        return manifest


def extract(backup: Path, folder: Path, advance: Advance) -> Manifest:
    """Write the files of a backup to a folder, verified again; raise BackupError as `verify`."""
    with _explained(backup), _opened(backup) as (tar, manifest):
        for member, reader in _files(tar, manifest, advance):
            path = folder / member.name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with path.open("wb") as file:
                path.chmod(_MODE)
                while chunk := reader.read(_CHUNK):
                    file.write(chunk)
    return manifest


@contextmanager
def _opened(backup: Path) -> Iterator[tuple[tarfile.TarFile, Manifest]]:
    with tarfile.open(backup, "r:") as tar:
        first = tar.next()
        content = tar.extractfile(first) if first and first.name == NAME else None
        if content is None:
            raise BackupError(f"it does not begin with {NAME}")
        yield tar, decode(content.read(_MANIFEST_BYTES))


def _files(
    tar: tarfile.TarFile, manifest: Manifest, advance: Advance
) -> Iterator[tuple[Member, "_Digesting"]]:
    """Yield each file, and check it once the caller has read it."""
    for member in manifest.files:
        if not _NAME.fullmatch(member.name):
            raise BackupError(f"its {NAME} names {member.name!r}, which no backup has")
        found = tar.next()
        content = tar.extractfile(found) if found and found.isreg() else None
        if found is None or found.name != member.name or content is None:
            raise BackupError(f"{member.name} is missing")
        reader = _Digesting(content, advance)
        yield member, reader
        while reader.read(_CHUNK):
            pass
        if reader.digest != member.sha256:
            raise BackupError(f"{member.name} is damaged: its SHA-256 is {reader.digest}")
    if (extra := tar.next()) is not None:
        raise BackupError(f"it has {extra.name!r}, which its {NAME} does not name")


@contextmanager
def _explained(backup: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if error.filename != str(backup):
            raise
        raise BackupError(f"{backup} does not exist") from error
    except IsADirectoryError as error:
        raise BackupError(f"{backup} is a folder; name the backup in it") from error
    except tarfile.TarError as error:
        raise BackupError(f"{backup} is not a whole backup: {error}; use another one") from error
    except BackupError as error:
        raise BackupError(f"{backup} can't be restored: {error}") from error


def _info(name: str, size: int, made_at: float) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, int(made_at), _MODE
    return info


class _Digesting(io.RawIOBase):
    """Reads a file, and computes the SHA-256 of what was read."""

    def __init__(self, source: IO[bytes], advance: Advance) -> None:
        super().__init__()
        self._source, self._advance, self._sha = source, advance, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes."""
        chunk = self._source.read(size)
        self._sha.update(chunk)
        self._advance(len(chunk))
        return chunk

    @property
    def digest(self) -> str:
        """The SHA-256 of what was read so far."""
        return self._sha.hexdigest()
