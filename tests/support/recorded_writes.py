"""What a program did to the files of a folder, and what it wrote to its output meanwhile.

strace records it from outside: the program is the product's own code, on its own database driver.
"""

import functools
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_LONGEST_S = 120.0
_MOST = 1 << 24  # bytes of one write
_CALLS = "openat,write,pwrite64,pwritev,ftruncate,fallocate,fsync,fdatasync,mmap,mkdir,unlink"
# Whoever uses these on the folder must be recorded better.
_UNKNOWN = "rename,renameat,renameat2,link,linkat,symlink,unlinkat,mkdirat,copy_file_range,creat"

_BYTES = r"(?:\\x[0-9a-f]{2})*"
_LINE = re.compile(r"(\d+) +(.*)")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>(.*)")
_CALL = re.compile(r"(\w+)\((.*)\) += (-?\d+)")
_TEXT = re.compile(rf'"({_BYTES})"')
_OPENED = re.compile(rf"^(\d+)<({_BYTES})>")
_SHARED = re.compile(rf"MAP_SHARED\w*, \d+<({_BYTES})>")


@dataclass(frozen=True)
class Made:
    """A file or a folder was created, or opened to be if there was none."""

    path: Path
    is_folder: bool = False


@dataclass(frozen=True)
class Written:
    """Bytes were written to a file."""

    path: Path
    at: int
    data: bytes


@dataclass(frozen=True)
class Resized:
    """A file was cut off, or made longer with zeros."""

    path: Path
    size: int


@dataclass(frozen=True)
class Removed:
    """A file was removed from its folder."""

    path: Path


@dataclass(frozen=True)
class Synced:
    """All that was done to a file or folder before step number `begun` is on the disk."""

    path: Path
    begun: int


@dataclass(frozen=True)
class Told:
    """A line was written to the program's output."""

    line: str


Step = Made | Written | Resized | Removed | Synced | Told


@functools.cache
def hindrance() -> str:
    """Return why no program can be recorded here; "" if one can."""
    try:
        done = subprocess.run(
            ["strace", "-o", os.devnull, "true"],
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
    except FileNotFoundError:
        return "strace is not installed"
    return done.stderr.strip() if done.returncode else ""


def record(command: Sequence[str], folder: Path, trace: Path) -> list[Step]:
    """Run a program to its end; return the steps it took in a folder, in the order of their ends.

    `trace`: a file for strace. Memory that is shared with a file is followed for none but SQLite's
    index of its log, which no power cut needs to spare.
    """
    strace = ["strace", "-f", "-y", "-xx", "-s", str(_MOST), "-o", str(trace)]
    options = ["-e", f"trace={_CALLS},{_UNKNOWN}"]
    done = subprocess.run(
        [*strace, *options, *command],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        timeout=_LONGEST_S,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]} under strace: exit status {done.returncode}"
    steps: list[Step] = []
    with trace.open(encoding="ascii") as lines:
        for name, arguments, result, begun in _calls(lines, steps):
            steps += _steps(name, arguments, result, begun, folder)
    return steps


def _calls(lines: Iterator[str], steps: list[Step]) -> Iterator[tuple[str, str, int, int]]:
    """Yield each call that succeeded when it ends; the last is how many steps came before it."""
    begun: dict[str, tuple[str, int]] = {}
    for line in lines:
        found = _LINE.match(line)
        assert found is not None, line[:200]
        thread, text = found[1], found[2]
        number = len(steps)
        if text.endswith("<unfinished ...>"):
            begun[thread] = (text.removesuffix("<unfinished ...>"), number)
            continue
        if resumed := _RESUMED.match(text):
            beginning, number = begun.pop(thread)
            text = beginning + resumed[1]
        if (call := _CALL.match(text)) and int(call[3]) >= 0:
            yield call[1], call[2], int(call[3]), number


def _steps(name: str, arguments: str, result: int, begun: int, folder: Path) -> Iterator[Step]:
    if name == "write" and arguments.startswith("1<"):
        yield from (Told(line) for line in _data(arguments).decode().splitlines())
        return
    path = _path(name, arguments)
    if folder not in path.parents and path != folder:
        return
    if path.name.endswith("-shm"):
        return
    match name:
        case "mkdir":
            yield Made(path, is_folder=True)
        case "openat":
            if "O_CREAT" in arguments:
                yield Made(path)
            if "O_TRUNC" in arguments:
                yield Resized(path, 0)
        case "pwrite64":
            yield Written(path, int(arguments.rpartition(", ")[2]), _data(arguments)[:result])
        case "ftruncate":
            yield Resized(path, int(arguments.rpartition(", ")[2]))
        case "unlink":
            yield Removed(path)
        case "fsync" | "fdatasync":
            yield Synced(path, begun)
        case _:
            raise AssertionError(f"{name} of {path} is not followed")


def _path(name: str, arguments: str) -> Path:
    """Return the path that a call is about; the root if it is none."""
    found = _OPENED.match(arguments) or _TEXT.search(arguments)
    if name == "openat":
        found = _TEXT.search(arguments)
    elif name == "mmap":
        found = _SHARED.search(arguments) if "PROT_WRITE" in arguments else None
    return Path(os.fsdecode(_bytes(found[found.re.groups])) if found else "/")


def _data(arguments: str) -> bytes:
    found = _TEXT.search(arguments)
    return _bytes(found[1]) if found else b""


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
