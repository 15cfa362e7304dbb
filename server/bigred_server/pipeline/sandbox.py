"""The command line of bubblewrap, which shows a build its workspace and little else. Pure.

The machine is read-only. The server's state, secrets and home are hidden; so is /run, where the
sockets of other programs are. /tmp is the build's own, no other process can be seen, and there is
no network unless the app asks for it. Source: bwrap(1), bubblewrap 0.8.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# What a build has of its own in any case.
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - only names where to mount
OWN = (Path("/dev"), Path("/proc"), Path("/run"), *_TEMPORARY)
_NOWHERE = Path("/dev/null")
_RESOLVER = Path("/run/systemd/resolve")
_APART = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")


@dataclass(frozen=True)
class BuildFolders:
    """What a build sees of its app's workspaces.

    `readable`: folders that it can read; `writable`: folders that it can change. `home`: the folder
    for its caches, which is writable, too; `temporary`: its /tmp.
    """

    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    home: Path
    temporary: Path


@dataclass(frozen=True)
class Hidden:
    """What a build must not see: folders and files, none of them a link.

    `homes`: folders that the user database names as homes; a build finds its own home there,
    because Java and others look there instead of at $HOME.
    """

    folders: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()
    homes: tuple[Path, ...] = ()


def bwrap(program: str, hidden: Hidden, seen: BuildFolders, *, network: bool) -> tuple[str, ...]:
    """Return the beginning of a command line that runs the rest of it in a sandbox."""
    mounts: dict[Path, tuple[str, ...]] = {
        Path("/dev"): ("--dev", "/dev"),
        Path("/proc"): ("--proc", "/proc"),
        Path("/run"): ("--tmpfs", "/run"),
    }
    for folder in hidden.folders:
        mounts[folder] = ("--tmpfs", str(folder))
    for folder in _TEMPORARY:
        mounts[folder] = _bound("--bind", seen.temporary, folder)
    for folder in hidden.homes:
        mounts[folder] = _bound("--bind", seen.home, folder)
    for file in hidden.files:
        mounts[file] = _bound("--ro-bind", _NOWHERE, file)
    for folder in seen.readable:
        mounts[folder] = _bound("--ro-bind", folder, folder)
    for folder in (*seen.writable, seen.home, seen.temporary):
        mounts[folder] = _bound("--bind", folder, folder)
    for folder in hidden.folders:
        # Otherwise bubblewrap gives them the modes of what is mounted, which may be private.
        for above in {above for path in mounts for above in path.parents}:
            if above.is_relative_to(folder):
                mounts.setdefault(above, ("--dir", str(above)))
    if network:
        # /etc/resolv.conf may lead here.
        mounts[_RESOLVER] = _bound("--ro-bind-try", _RESOLVER, _RESOLVER)
    return (
        program,
        "--die-with-parent",
        *_APART,
        *(() if network else ("--unshare-net",)),
        *("--ro-bind", "/", "/"),
        # A folder before what is mounted in it.
        *(word for path in sorted(mounts) for word in mounts[path]),
        *("--chdir", "/"),
    )


def as_root(bwrap: Sequence[str], user: Sequence[str]) -> tuple[str, ...]:
    """Return a sandbox that root starts: it keeps what it takes to become the user, if any."""
    kept = ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID") if user else ()
    return (*bwrap, "--cap-drop", "ALL", *kept, "--", *user)


def _bound(how: str, source: Path, target: Path) -> tuple[str, ...]:
    return (how, str(source), str(target))
