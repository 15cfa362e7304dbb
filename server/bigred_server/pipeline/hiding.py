"""What a sandbox hides from builds: the state, the homes, and what the configuration names."""

import contextlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from bigred_server.pipeline import sandbox
from bigred_server.pipeline.build_user import BuildUser
from bigred_server.pipeline.sandbox import Hidden
from bigred_server.settings import ServerSettings, Settings

# How the key of a setting ends whose value builds must not see.
_SECRET = ("_file", "key", "socket")


def workspaces(server: ServerSettings) -> Path:
    """Return the folder in which builds run; another user could not enter it in the state."""
    if server.workspaces:
        return server.workspaces
    if server.build_user:
        return server.state.with_name(f"{server.state.name}-builds")
    return server.state / "builds"


def hidden_from_builds(settings: Settings, user: BuildUser | None, config: Path | None) -> Hidden:
    """Return what a sandbox hides: all that the configuration names as secret, and the homes."""
    server = settings.server
    folders = (server.state, workspaces(server), *([server.releases] if server.releases else []))
    homes = {user.home} if user and _belongs(user.home, user.uid) else set()
    # Containers run servers as users whom nobody has entered.
    with contextlib.suppress(KeyError, RuntimeError):
        homes |= {Path.home(), Path(pwd.getpwuid(os.geteuid()).pw_dir)}
    resolved_homes = {home.resolve() for home in homes} - {Path("/")}
    hidden = {each.resolve() for each in folders}
    secrets = (*_secrets(settings), *([config] if config else []))
    files = {each.resolve() for each in secrets}
    covered = (*hidden, *resolved_homes, *sandbox.OWN)
    return Hidden(
        folders=tuple(sorted(hidden)),
        files=tuple(sorted(file for file in files if not any(map(file.is_relative_to, covered)))),
        homes=tuple(sorted(resolved_homes)),
    )


def present(hidden: Hidden) -> Hidden:
    """Return what there is now of it; nothing can be mounted over what does not exist."""
    return Hidden(
        folders=tuple(filter(os.path.isdir, hidden.folders)),
        files=tuple(filter(os.path.exists, hidden.files)),
        homes=tuple(filter(os.path.isdir, hidden.homes)),
    )


def _secrets(section: BaseModel) -> Iterator[Path]:
    """Give every file and socket in the settings whose key says that it is none of a build's."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Path | str) and name.endswith(_SECRET) and str(one).startswith("/"):
                yield Path(one)
        for one in value.values() if isinstance(value, dict) else (value,):
            if isinstance(one, BaseModel):
                yield from _secrets(one)


def _belongs(folder: Path, uid: int) -> bool:
    # A user of the system may have a folder of the system as its home.
    try:
        return folder.stat().st_uid == uid
    except OSError:
        return False
