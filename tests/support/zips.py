"""Zip files that no honest program writes: entries that share bytes, lie, or have bad names."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

SOUND = {"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\n", "WEB-INF/web.xml": b"<web-app/>"}
_LINK = (stat.S_IFLNK | 0o777) << 16


def write_war(path: Path, more: Mapping[str, bytes] | None = None) -> Path:
    """Write a sound WAR, with more entries."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**SOUND, **(more or {})}.items():
            archive.writestr(name, content)
    return path


def write_link(path: Path) -> Path:
    """Write a WAR with a symbolic link in it."""
    with zipfile.ZipFile(write_war(path), "a") as archive:
        link = zipfile.ZipInfo("WEB-INF/passwords")
        link.create_system, link.external_attr = 3, _LINK
        archive.writestr(link, "/etc/passwd")
    return path


def renamed(path: Path, old: bytes, new: bytes) -> Path:
    """Replace a name of the same length, in the directory and in front of the entry."""
    assert len(old) == len(new)
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))
    return path


def write_bomb(path: Path, unpacked: int) -> Path:
    """Write a WAR with one entry of zeros; it has a thousandth of their size."""
    with (
        zipfile.ZipFile(write_war(path), "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("zeros", "w", force_zip64=True) as file,
    ):
        block = bytes(1 << 20)
        for _ in range(unpacked >> 20):
            file.write(block)
    return path


def write_overlapping(path: Path, entries: int, unpacked: int) -> Path:
    """Write a WAR of which all entries but the first share the same packed bytes.

    Each entry begins with a block that quotes the header of the next one, as David Fifield's
    "better zip bomb" does. Its size hardly depends on the number of entries.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    kernel = packer.compress(bytes(unpacked)) + packer.flush()
    size, crc = unpacked, zlib.crc32(bytes(unpacked))
    content, directory = kernel, []
    for number in reversed(range(entries)):
        name = f"WEB-INF/{number:05}".encode()
        header = _local(name, crc, len(content), size)
        directory.append((name, crc, len(content), size, len(header)))
        quoted = b"\0" + struct.pack("<2H", len(header), len(header) ^ 0xFFFF) + header
        if number:
            content = quoted + content
            crc, size = zlib.crc32(header + _unpacked(content[len(quoted) :])), size + len(header)
        else:
            content = header + content
    data, at, central = content, 0, b""
    for name, one_crc, packed, one_size, header_size in reversed(directory):
        central += _central(name, one_crc, packed, one_size, at)
        at += header_size + 5
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, entries, entries, len(central), len(data), 0)
    path.write_bytes(data + central + end)
    return path


def _unpacked(packed: bytes) -> bytes:
    return zlib.decompress(packed, -zlib.MAX_WBITS)


def _local(name: bytes, crc: int, packed: int, size: int) -> bytes:
    return (
        struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 33, crc, packed, size, len(name), 0) + name
    )


def _central(name: bytes, crc: int, packed: int, size: int, at: int) -> bytes:
    fields = (20, 20, 0, 8, 0, 33, crc, packed, size, len(name), 0, 0, 0, 0, 0, at)
    return struct.pack("<4s6H3L5H2L", b"PK\1\2", *fields) + name
