"""Read the manifest of a WAR."""

import lzma
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

_MANIFEST = "META-INF/MANIFEST.MF"
_MAX_MANIFEST = 1 << 20
# What Python raises for a damaged, encrypted or unsupported zip; a WAR on a node may be any.
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


def manifest(war: Path | IO[bytes]) -> dict[str, str]:
    """Return the main attributes of META-INF/MANIFEST.MF; empty if there is no readable one.

    Source: the JAR File Specification. A line that starts with a space continues the
    previous one, and an empty line ends the main section.
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
