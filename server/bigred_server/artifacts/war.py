"""A WAR file: whether it is one, and what its manifest says."""

import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

from bigred_server.errors import ReleaseError

_MANIFEST = "META-INF/MANIFEST.MF"
_MAX_MANIFEST = 1 << 20
# What Python raises on a damaged, locked or strange zip; a WAR on a node may be any of these.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


def check(path: Path) -> None:
    """Raise ReleaseError, saying what was seen, when a file is no sound WAR."""
    if not path.is_file():
        raise ReleaseError(f"{path}: there is no such file; name the WAR that was built")
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
            names = archive.namelist()
    except _UNREADABLE as error:
        raise ReleaseError(f"{path}: no WAR, it can't be read as a zip: {error}") from error
    if broken is not None:
        raise ReleaseError(f"{path}: no sound WAR, {broken} in it is damaged")
    if not names:
        raise ReleaseError(f"{path}: no WAR, the zip is empty")


def manifest(war: Path | IO[bytes]) -> dict[str, str]:
    """Read the main attributes of META-INF/MANIFEST.MF; empty when there is none to be read.

    Source: the JAR File Specification. A line that begins with a space continues the one before,
    and an empty line ends the main section.
    """
    try:
        with zipfile.ZipFile(war) as archive, archive.open(_MANIFEST) as file:
            text = file.read(_MAX_MANIFEST).decode("utf-8", "replace")
    except (KeyError, *_UNREADABLE):
        return {}
    lines: list[str] = []
    for line in text.splitlines():
        if not line:
            break
        if line.startswith(" ") and lines:
            lines[-1] += line[1:]
        else:
            lines.append(line)
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}
