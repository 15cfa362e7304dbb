"""Check a WAR to the last byte, within limits: how much it unpacks to is counted, never believed.

Only a copy that nobody else can write to may be checked: what is checked must be what is deployed.
"""

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from bigred_server.artifacts import war_names
from bigred_server.artifacts.files import copy
from bigred_server.artifacts.inflate import CHUNK, inflated
from bigred_server.artifacts.interruptible import Checkpoint, go_on
from bigred_server.artifacts.zip_directory import (
    ZipDirectory,
    ZipError,
    ZipMember,
    content_at,
    find_directory,
    members,
)
from bigred_server.errors import ReleaseError
from bigred_server.model.plain_text import plain
from bigred_server.model.war_limits import MIB, WarLimits

_STORED, _DEFLATED = 0, 8


def take(source: Path, target: Path, limits: WarLimits, checkpoint: Checkpoint = go_on) -> str:
    """Copy a WAR, check the copy and return its SHA-256.

    Raise ReleaseError, naming the source, if it is not a WAR that Tomcat can unpack, or exceeds a
    limit; OSError if it can't be copied.
    """
    digest = copy(source, target, byte_limit(str(source), limits, checkpoint))
    check(target, limits, checkpoint, name=str(source))
    return digest


def byte_limit(name: str, limits: WarLimits, checkpoint: Checkpoint) -> Callable[[int], None]:
    """Return what to call with the bytes copied so far: it raises ReleaseError over the limit."""

    def step(copied: int) -> None:
        checkpoint()
        if copied > limits.file_bytes:
            raise ReleaseError(
                f"{name}: refused, it has more than {limits.file_mib} MiB; "
                f"{_raise('file_mib', 'WARs may be larger')}"
            )

    return step


def check(path: Path, limits: WarLimits, checkpoint: Checkpoint = go_on, name: str = "") -> None:
    """Raise ReleaseError, saying what is wrong, if a file is not a valid WAR within the limits.

    `name`: what the file is called in the sentence, instead of its path.
    """
    if not path.is_file():
        raise ReleaseError(f"{path}: no such file; name the WAR that was built")
    with path.open("rb") as file:
        _Examination(file, name or str(path), path.stat().st_size, limits, checkpoint).run()


@dataclass
class _Examination:
    """One WAR that is being checked."""

    file: BinaryIO
    name: str
    size: int
    limits: WarLimits
    checkpoint: Checkpoint
    unpacked: int = 0
    begun_s: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        try:
            directory = find_directory(self.file, self.size)
            found = list(self._listed(directory))
        except ZipError as error:
            raise ReleaseError(
                f"{self.name}: not a WAR, can't read it as a zip: {error}"
            ) from error
        if not found:
            raise ReleaseError(f"{self.name}: not a WAR, the zip is empty")
        for member in found:
            if wrong := war_names.complaint(member):
                raise self._invalid(f"{war_names.shown(member.name)} in it {wrong}")
        if (name := war_names.twice(found)) is not None:
            raise self._invalid(f"{war_names.shown(name)} is in it twice")
        if not war_names.has_web_inf(found):
            raise ReleaseError(
                f"{self.name}: not a WAR, it has no folder {war_names.WEB_INF}; "
                "name the WAR that was built, not a JAR or another zip"
            )
        self._read(found, directory)

    def _listed(self, directory: ZipDirectory) -> Iterator[ZipMember]:
        for number, member in enumerate(members(self.file, directory), 1):
            self._pause()
            if number > self.limits.entries:
                raise self._refusal(
                    f"it has more than {self.limits.entries} entries",
                    _raise("entries", "WARs may have more"),
                )
            yield member

    def _read(self, found: list[ZipMember], directory: ZipDirectory) -> None:
        """Unpack every entry, in the order of the file, to nowhere."""
        in_order = sorted(found, key=lambda member: member.start)
        begins = [*(member.start for member in in_order), directory.start]
        for member, (_, next_begin) in zip(in_order, pairwise(begins), strict=True):
            self._pause()
            try:
                self._unpack(member, next_begin)
            except (ZipError, zlib.error) as error:
                shown = plain(member.name.decode("utf-8"))
                raise self._invalid(f"{shown} in it is damaged: {error}") from error

    def _unpack(self, member: ZipMember, next_begin: int) -> None:
        at = content_at(self.file, member)
        if at + member.packed > next_begin:
            raise ZipError("it overlaps what comes after it")
        self.file.seek(at)
        if member.method not in (_STORED, _DEFLATED):
            raise ZipError(f"Java can't unpack it (method {member.method}); pack it by 'deflate'")
        packed = self._packed(member.packed)
        size = crc = 0
        for chunk in packed if member.method == _STORED else inflated(packed):
            size, crc = size + len(chunk), zlib.crc32(chunk, crc)
            if size > member.unpacked:
                break
            self._count(len(chunk))
        if size != member.unpacked:
            more = "more" if size > member.unpacked else "fewer"
            raise ZipError(f"it has {more} bytes than the {member.unpacked} that it says")
        if crc != member.crc:
            raise ZipError("its checksum is wrong")

    def _packed(self, size: int) -> Iterator[bytes]:
        while size > 0:
            chunk = self.file.read(min(size, CHUNK))
            if not chunk:
                raise ZipError("it ends too early")
            size -= len(chunk)
            yield chunk

    def _count(self, size: int) -> None:
        self._pause()
        self.unpacked += size
        limits = self.limits
        if self.unpacked > limits.unpacked_bytes:
            raise self._refusal(
                f"it unpacks to more than {limits.unpacked_mib} MiB",
                _raise("unpacked_mib", "WARs may unpack to more"),
            )
        if self.unpacked > limits.packed_bytes(self.size):
            raise self._refusal(
                f"it has {_amount(self.size)} and unpacks to more than "
                f"{_amount(limits.packed_bytes(self.size))}, over {limits.ratio} times as much",
                _raise("ratio", "WARs may be packed so tightly"),
            )

    def _pause(self) -> None:
        self.checkpoint()
        if time.monotonic() - self.begun_s > self.limits.check_s:
            raise self._refusal(
                f"it could not be checked within {self.limits.check_s:g} s",
                _raise("check_s", "the check may take longer"),
            )

    def _invalid(self, what: str) -> ReleaseError:
        return ReleaseError(f"{self.name}: not a valid WAR, {what}")

    def _refusal(self, what: str, fix: str) -> ReleaseError:
        return ReleaseError(f"{self.name}: refused, {what}; {fix}")


def _amount(size: int) -> str:
    return f"{size // MIB} MiB" if size >= MIB else f"{size // 1024} KiB"


def _raise(key: str, when: str) -> str:
    return f"if {when}, raise `{key}` in [server.wars]"
