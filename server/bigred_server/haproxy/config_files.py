"""The files that a running HAProxy has read: where they are, and their text."""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from bigred_server.haproxy.config_sections import sections
from bigred_server.haproxy.config_text import NOTHING_KNOWN, read

# Where the kernel shows its processes.
PROC = Path("/proc")
_BACKENDS = ("backend", "listen")


def is_here(pid: int) -> bool:
    """Return whether a process of this machine, seen from here, is HAProxy's."""
    try:
        return (PROC / str(pid) / "comm").read_text().strip() == "haproxy"
    except OSError:
        return False


def texts(
    pid: int, environment: Mapping[str, str], backends: Collection[str]
) -> tuple[str | None, str]:
    """Return the text of all files, or None and the reason why it can't be known.

    `environment`: HAProxy's own. `backends`: what it has; a file that is only guessed must name
    one of them.
    """
    paths = [path for path in environment.get("HAPROXY_CFGFILES", "").split(";") if path]
    if not paths:
        return None, "HAProxy does not say where its configuration is"
    try:
        if all(path.startswith("/") for path in paths):
            return _joined(map(Path, paths)), ""
        for folder, is_certain in _folders(pid, environment):
            if not all((folder / path).exists() for path in paths):
                continue
            text = _joined(folder / path for path in paths)
            if is_certain or _names(text, backends):
                return text, ""
    except OSError as error:
        return None, f"{error.filename} can't be read: {error.strerror}"
    relative = next(path for path in paths if not path.startswith("/"))
    return None, (
        f"{relative} can't be found: it is relative to the folder in which HAProxy was started; "
        "start HAProxy with -f and an absolute path"
    )


def _folders(pid: int, environment: Mapping[str, str]) -> Iterator[tuple[Path, bool]]:
    """Give the folders that a path may be relative to, and whether that is certain.

    A process in a chroot has left the folder; its master has not. Without a master (`-D`), only
    the shell's variable tells.
    """
    process = PROC / str(pid)
    with contextlib.suppress(OSError):
        if str((process / "root").readlink()) == "/":
            yield (process / "cwd").readlink(), True
            return
    with contextlib.suppress(OSError, StopIteration):
        master = _master(process)
        yield (master / "cwd").readlink(), True
    if start := environment.get("PWD", ""):
        yield Path(start) / _changed_folder(process), False


def _master(process: Path) -> Path:
    lines = (process / "status").read_text().splitlines()
    master = PROC / next(line.split()[1] for line in lines if line.startswith("PPid:"))
    if not is_here(int(master.name)):
        raise StopIteration
    return master


def _changed_folder(process: Path) -> str:
    """Return the folder of HAProxy's own option -C, "" without it."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        return words[words.index("-C") + 1]
    return ""


def _joined(paths: Iterator[Path]) -> str:
    return "\n".join(path.read_text("utf-8", "replace") for path in paths)


def _names(text: str, backends: Collection[str]) -> bool:
    found = sections(read(text, NOTHING_KNOWN, {}).lines)
    return any(one.kind in _BACKENDS and one.name in backends for one in found)
