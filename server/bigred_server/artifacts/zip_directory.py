"""The directory of a zip file, read without believing what it says of itself.

`zipfile` reads a directory whole, however many entries it has. Here each entry is given as it is
read, so that the caller can stop. Where programs could read a file differently it is refused: what
is checked must be what Tomcat unpacks. Source: PKWARE's APPNOTE.TXT 6.3, section 4.3.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_END_SIGN, _LOCATOR_SIGN, _END64_SIGN = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
_CENTRAL_SIGN, _LOCAL_SIGN = b"PK\x01\x02", b"PK\x03\x04"
_LONGEST_COMMENT = 0xFFFF
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ZIP64_EXTRA = 1


class ZipError(ValueError):
    """The file is not a zip, or one that programs would read differently."""


@dataclass(frozen=True)
class ZipMember:
    """One entry of the directory. `start`: where its own header is, in bytes from the beginning.

    `mode`: the mode that a UNIX program gave it, 0 if none did. `packed` and `unpacked` are the
    bytes that the directory claims.
    """

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    unpacked: int
    mode: int
    start: int


@dataclass(frozen=True)
class ZipDirectory:
    """Where the directory is. `count`: the entries it claims. `shift`: bytes ahead of the zip."""

    start: int
    size: int
    count: int
    shift: int


def find_directory(file: BinaryIO, size: int) -> ZipDirectory:
    """Find the directory of a file of `size` bytes. Raise ZipError if it has none, or two."""
    tail_at = max(0, size - _END.size - _LONGEST_COMMENT)
    tail = _read_at(file, tail_at, size - tail_at)
    ends = [at for at in _occurrences(tail, _END_SIGN) if _reaches_the_end(tail, at)]
    if not ends:
        raise ZipError("it has no directory at its end; it may be cut off")
    if len(ends) > 1 or tail.rfind(_END_SIGN) != ends[0]:
        raise ZipError("it has two directories")
    end_at = tail_at + ends[0]
    _, _, _, _, count, length, offset, _ = _END.unpack_from(tail, ends[0])
    locator_at = end_at - _END64_LOCATOR.size
    if locator_at >= 0 and _read_at(file, locator_at, 4) == _LOCATOR_SIGN:
        return _directory64(file, locator_at, (count, length, offset))
    return _directory(end_at, length, count, offset)


def _directory(end_at: int, size: int, count: int, offset: int) -> ZipDirectory:
    start = end_at - size
    if start < offset:
        raise ZipError("its directory is not where it says")
    return ZipDirectory(start, size, count, start - offset)


def _directory64(file: BinaryIO, locator_at: int, small: tuple[int, int, int]) -> ZipDirectory:
    end_at = locator_at - _END64.size
    data = _read_at(file, end_at, _END64.size) if end_at >= 0 else b""
    if data[:4] != _END64_SIGN:
        raise ZipError("its 64-bit directory is not where it says")
    *_, count, size, offset = _END64.unpack(data)
    for full, claimed, real in zip(
        (_FULL16, _FULL32, _FULL32), small, (count, size, offset), strict=True
    ):
        if claimed not in (full, real):
            raise ZipError("it has two directories")
    found = _directory(end_at, size, count, offset)
    said_at = _END64_LOCATOR.unpack(_read_at(file, locator_at, _END64_LOCATOR.size))[2]
    if said_at + found.shift != end_at:
        raise ZipError("its 64-bit directory is not where it says")
    return found


def members(file: BinaryIO, directory: ZipDirectory) -> Iterator[ZipMember]:
    """Give the entries as they are read; nothing else may read the file until the last one.

    Raise ZipError where the directory is damaged.
    """
    file.seek(directory.start)
    left, number = directory.size, 0
    while left > 0:
        header = file.read(_CENTRAL.size)
        if len(header) < _CENTRAL.size or not header.startswith(_CENTRAL_SIGN):
            raise ZipError("its directory is damaged")
        fields = _CENTRAL.unpack(header)
        name_size, extra_size, comment_size = fields[10:13]
        rest = file.read(name_size + extra_size + comment_size)
        left -= len(header) + len(rest)
        number += 1
        if len(rest) < name_size + extra_size + comment_size or left < 0:
            raise ZipError("its directory is damaged")
        yield _member(fields, rest[:name_size], rest[name_size:][:extra_size], directory.shift)
    # Without 64-bit fields, programs keep only the last 16 bits of the number.
    if number != directory.count and (number - directory.count) % (_FULL16 + 1):
        raise ZipError(f"its directory has {number} entries and says {directory.count}")


def _member(fields: tuple[int, ...], name: bytes, extra: bytes, shift: int) -> ZipMember:
    flags, method, crc = fields[3], fields[4], fields[7]
    packed, unpacked, attributes, offset = fields[8], fields[9], fields[15], fields[16]
    wide = _zip64_values(extra)
    unpacked = next(wide) if unpacked == _FULL32 else unpacked
    packed = next(wide) if packed == _FULL32 else packed
    offset = next(wide) if offset == _FULL32 else offset
    return ZipMember(name, flags, method, crc, packed, unpacked, attributes >> 16, offset + shift)


def _zip64_values(extra: bytes) -> Iterator[int]:
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == _ZIP64_EXTRA:
            values = extra[at + 4 : at + 4 + size]
            for value_at in range(0, len(values) - 7, 8):
                yield int.from_bytes(values[value_at : value_at + 8], "little")
            break
        at += 4 + size
    raise ZipError("its directory is damaged")


def content_at(file: BinaryIO, member: ZipMember) -> int:
    """Return where an entry's bytes begin. Raise ZipError if its own header says another thing."""
    header = _read_at(file, member.start, _LOCAL.size)
    if not header.startswith(_LOCAL_SIGN):
        raise ZipError("its own header is missing")
    fields = _LOCAL.unpack(header)
    flags, method = fields[2], fields[3]
    name_size, extra_size = int(fields[9]), int(fields[10])
    # Bit 0 says that the entry is encrypted.
    if method != member.method or (flags ^ member.flags) & 1:
        raise ZipError("its own header differs from the directory")
    if file.read(name_size) != member.name:
        raise ZipError("its own header has another name")
    return member.start + _LOCAL.size + name_size + extra_size


def _read_at(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    data = file.read(size)
    if len(data) < size:
        raise ZipError("it ends too early")
    return data


def _occurrences(data: bytes, wanted: bytes) -> Iterator[int]:
    at = data.find(wanted)
    while at >= 0:
        yield at
        at = data.find(wanted, at + 1)


def _reaches_the_end(tail: bytes, at: int) -> bool:
    if at + _END.size > len(tail):
        return False
    return bool(at + _END.size + _END.unpack_from(tail, at)[-1] == len(tail))
