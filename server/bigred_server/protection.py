"""The server's own files, and how much of them others can read.

Only what has a name of ours is touched, and no folder that others keep theirs in: somebody may
have set `state` to a folder that is not Bigred's alone.
"""

import contextlib
import stat
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

from bigred_server import private_files
from bigred_server.places import release_store
from bigred_server.settings import ServerSettings

_FILES = "bigred.*"
_OWN_FOLDER = "set `state` or `releases` in [server] to a folder of its own"
# What builds make, in the folder of an app and in that of a build. It is behind closed doors, may
# need modes of its own, and a home has the caches of Maven or npm: very many files.
_MADE_BY_BUILDS = ({"clone", "home"}, {"source", "tomcat", "tmp"})


def too_open(server: ServerSettings) -> Iterator[tuple[Path, int]]:
    """List what others have too much access to, each with the mode that it may have at most."""
    state, store = server.state, release_store(server).folder
    at_most = private_files.PASSABLE if _has_the_log(server) else private_files.FOLDER
    found = [*_files(state), *_inside(state / "hooks"), *_builds(state / "builds")]
    ours = ((path, private_files.FOLDER) for path in (*found, *_store(store)))
    for path, wanted in ((state, at_most), *ours):
        with contextlib.suppress(FileNotFoundError):
            if private_files.is_too_open(path, wanted):
                yield path, wanted


def protect(server: ServerSettings) -> tuple[list[Path], list[str]]:
    """Take away others' access; return what was too open, and why some of it still is."""
    closed: list[Path] = []
    failures: list[str] = []
    for path, at_most in list(too_open(server)):
        if path.is_dir() and not _is_alone(path):
            failures.append(f"{path} is not Bigred's alone: {_OWN_FOLDER}")
            continue
        try:
            private_files.close(path, at_most)
            closed.append(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            failures.append(f"{path}: {error.strerror}")
    return closed, failures


def _has_the_log(server: ServerSettings) -> bool:
    """Return whether HAProxy, another user, must reach a socket in the state folder."""
    at = server.haproxy_log
    return at.startswith("/") and Path(at).is_relative_to(server.state)


def _is_alone(state: Path) -> bool:
    """Return whether a folder is nobody else's: neither public nor with others' folders in it."""
    try:
        own = state.stat()
        inside = [path.lstat() for path in state.iterdir()]
    except OSError:
        return False
    others = any(stat.S_ISDIR(each.st_mode) and each.st_uid != own.st_uid for each in inside)
    return not (own.st_mode & stat.S_ISVTX or others)


def _files(state: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from sorted(state.glob(_FILES))


def _store(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    yield folder
    for pattern in ("*.war", "*.part"):
        yield from sorted(folder.glob(pattern))


def _builds(folder: Path) -> Iterator[Path]:
    """Give the folder of builds and all that is in it, but for what builds make."""
    yield from _inside(folder, (set(), *_MADE_BY_BUILDS))


def _inside(folder: Path, left_out: Sequence[Set[str]] = ()) -> Iterator[Path]:
    """Give a folder of ours and all that is in it.

    `left_out`: the names of folders that are left out, first those in the folder itself, then those
    in the folders in it, and so on.
    """
    if not folder.is_dir() or folder.is_symlink():
        return
    yield folder
    names, further = (left_out[0], left_out[1:]) if left_out else (set(), ())
    with contextlib.suppress(OSError):
        for path in sorted(folder.iterdir()):
            if not path.is_dir():
                yield path
            elif path.name not in names:
                yield from _inside(path, further)
