"""The user that builds run as: somebody who owns nothing but the workspaces."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from bigred_server.errors import BuildError


@dataclass(frozen=True)
class BuildUser:
    """`groups`: all of the user's groups. `home`: as the user database has it."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: Path

    @property
    def prefix(self) -> tuple[str, ...]:
        """The beginning of a command line that root runs as this user, who stays that for good."""
        groups = ",".join(map(str, self.groups))
        as_user = (f"--reuid={self.uid}", f"--regid={self.gid}", f"--groups={groups}")
        return ("setpriv", *as_user, "--inh-caps=-all", "--no-new-privs", "--")


def build_user(name: str) -> BuildUser:
    """Find the configured user. Raise BuildError if builds can't or must not run as that one."""
    what = f"build_user = {name!r} in [server]"
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise BuildError(
            f"{what}: this machine has no such user; create one with: "
            f"useradd --system --create-home {name}"
        ) from error
    if entry.pw_uid == 0:
        raise BuildError(f"{what}: builds must not run as root; name a user of their own")
    if os.geteuid() != 0:
        me = pwd.getpwuid(os.geteuid()).pw_name if _is_known(os.geteuid()) else os.geteuid()
        raise BuildError(
            f"{what}: only root can run builds as another user, and the server runs as {me}; run "
            "the server as root, or remove build_user and rely on the sandbox"
        )
    groups = tuple(os.getgrouplist(name, entry.pw_gid))
    return BuildUser(name, entry.pw_uid, entry.pw_gid, groups, Path(entry.pw_dir))


def _is_known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
