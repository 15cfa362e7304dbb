"""Keys for results that a later build can reuse: the same key means the same content."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

_LENGTH = 16


def key(*parts: str) -> str:
    """Return the key of some texts, in this order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:_LENGTH]


def files(paths: Iterable[Path], root: Path) -> str:
    """Return the key of some files: their names below `root`, modes and contents."""
    parts: list[str] = []
    for path in sorted(paths):
        if path.is_symlink():
            parts += [str(path.relative_to(root)), str(path.readlink())]
        elif path.is_file():
            mode = "x" if path.stat().st_mode & 0o100 else "-"
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            parts += [str(path.relative_to(root)), mode, content]
    return key(*parts)


def clear(folder: Path, pattern: str) -> None:
    """Delete the results of earlier builds, before a new one replaces them."""
    for old in folder.glob(pattern):
        shutil.rmtree(old)
