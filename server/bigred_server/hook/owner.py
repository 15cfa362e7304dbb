"""Act in somebody else's folder without leaving anything there that isn't theirs."""

import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bigred_server.artifacts.files import temporary


@dataclass(frozen=True)
class FileOwner:
    """The user and the group that something belongs to."""

    uid: int
    gid: int

    @property
    def name(self) -> str:
        """The user's name, or the number of a user without one."""
        entry = self._entry()
        return entry.pw_name if entry else str(self.uid)

    def own(self, path: Path) -> None:
        """Give a file or folder to this owner. Raise OSError if that isn't ours to do."""
        now = owner_of(path)
        if now == self:
            return
        try:
            os.chown(path, self.uid, self.gid)
        except PermissionError:
            # Nobody but root can give a file to a group without being in it.
            if now.uid != self.uid:
                raise

    def write(self, path: Path, text: str, mode: int) -> None:
        """Replace a file, or create it, as this owner's. Raise OSError on failure."""
        with temporary(path.parent, prefix=f".{path.name}-") as new:
            new.write_bytes(text.encode("utf-8", "surrogateescape"))
            # A change of owner may clear bits of the mode.
            self.own(new)
            new.chmod(mode)
            new.replace(path)

    def run(
        self, argv: Sequence[str], folder: Path, limit_s: float, more: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as this owner if we are root, otherwise as ourselves, without any input.

        Raise OSError or subprocess.TimeoutExpired.
        """
        as_them = os.geteuid() == 0 and self.uid != 0
        entry = self._entry() if as_them else None
        home = {"HOME": entry.pw_dir, "USER": entry.pw_name} if entry else {}
        return subprocess.run(
            argv,
            cwd=folder,
            env={**os.environ, **home, **more},
            user=self.uid if as_them else None,
            group=self.gid if as_them else None,
            extra_groups=[] if as_them else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )

    def _entry(self) -> pwd.struct_passwd | None:
        try:
            return pwd.getpwuid(self.uid)
        except KeyError:
            return None


def owner_of(path: Path) -> FileOwner:
    """Return the owner of a file or folder."""
    found = path.stat()
    return FileOwner(found.st_uid, found.st_gid)


def make_folder(path: Path) -> None:
    """Create a folder unless it exists, with owner, group and mode of the one that it is in.

    Raise OSError on failure.
    """
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir()
    owner_of(path.parent).own(path)
    path.chmod(mode_of(path.parent))


def mode_of(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return path.stat().st_mode & 0o7777
