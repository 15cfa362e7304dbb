"""How builds are kept away from keys, journal and server: by a user of their own, by a sandbox.

What is in force is found out once, by trying: user namespaces may be off, and containers often
forbid mounts.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bigred_server import environment, private_files
from bigred_server.errors import BuildError
from bigred_server.pipeline import sandbox
from bigred_server.pipeline.build_user import BuildUser, build_user
from bigred_server.pipeline.hiding import hidden_from_builds, present, workspaces
from bigred_server.pipeline.job import PYTHON
from bigred_server.pipeline.sandbox import BuildFolders, Hidden
from bigred_server.settings import ServerSettings, Settings
from bigred_server.settings.build import SandboxMode

_PROGRAM = "bwrap"
_PYTHONS = (PYTHON, "/usr/bin/python3")
_DEADLINE_S = 20.0
_CAN_WRITE = "import os, sys; os.chdir(sys.argv[1]); open('probe', 'w').close(); os.unlink('probe')"


@dataclass(frozen=True)
class Isolation:
    """Confines the commands of builds. `user`: None for the server's own user.

    `sandbox`: the path of bubblewrap, "" if there is no sandbox; `why_not`: the reason for that.
    `python`: the interpreter that a confined build can run. `is_told`: builds say in their logs
    what is in force.
    """

    user: BuildUser | None = None
    sandbox: str = ""
    why_not: str = ""
    hidden: Hidden = field(default_factory=Hidden)
    python: str = PYTHON
    is_told: bool = False

    def prefix(self, seen: BuildFolders, *, network: bool) -> tuple[str, ...]:
        """Return the beginning of a command line that confines the rest of it."""
        user = self.user.prefix if self.user else ()
        if not self.sandbox:
            return user
        inside = sandbox.bwrap(self.sandbox, present(self.hidden), seen, network=network)
        return sandbox.as_root(inside, user) if os.geteuid() == 0 else (*inside, "--")

    def text(self, *, network: bool) -> str:
        """Say what is in force."""
        who = f"as {self.user.name}" if self.user else "as the server's own user"
        if not self.sandbox:
            return f"{who}, not in a sandbox ({self.why_not})"
        reach = "with network" if network else "without network (`network` in the app's build)"
        return f"{who}, in a sandbox {reach}"


def isolation_of(settings: Settings, config: Path | None = None) -> Isolation:
    """Find out how builds can be confined here; `config` is the file with the settings.

    Raise BuildError if that is less than the configuration demands.
    """
    server = settings.server
    if not any(app.build for app in settings.fleets.values()):
        return Isolation()
    user = build_user(server.build_user) if server.build_user else None
    hidden = hidden_from_builds(settings, user, config)
    plain = Isolation(user=user, hidden=hidden, is_told=True)
    if server.sandbox is not SandboxMode.OFF:
        tried, why_not = _with_sandbox(plain, server)
        if tried is not None:
            return tried
        if server.sandbox is SandboxMode.REQUIRED:
            raise BuildError(
                f"sandbox = 'required' in [server], but there is none: {why_not}; install the "
                "package bubblewrap and allow user namespaces, or set sandbox = 'auto'"
            )
    else:
        why_not = "sandbox = 'off'"
    found, problem = _tried(replace(plain, why_not=why_not), server)
    if found is None:
        raise BuildError(f"builds can't run as build_user = {server.build_user!r}: {problem}")
    return found


def _with_sandbox(plain: Isolation, server: ServerSettings) -> tuple[Isolation | None, str]:
    program = shutil.which(_PROGRAM)
    if program is None:
        return None, "bubblewrap is not installed"
    return _tried(replace(plain, sandbox=program), server)


def _tried(isolation: Isolation, server: ServerSettings) -> tuple[Isolation | None, str]:
    """Run a command as a build would; return what works, or None and the reason."""
    if not isolation.user and not isolation.sandbox:
        return isolation, ""
    problem, work = "", workspaces(server)
    absent = [each for each in (work, *work.parents) if not each.exists()]
    try:
        prepared(work, isolation.user)
        with tempfile.TemporaryDirectory(prefix="probe-", dir=work) as name:
            folder = Path(name)
            if isolation.user:
                os.chown(folder, isolation.user.uid, isolation.user.gid)
            prefix = isolation.prefix(BuildFolders((), (), folder, folder), network=False)
            for python in dict.fromkeys(_PYTHONS):
                problem = _problem([*prefix, python, "-I", "-c", _CAN_WRITE, name])
                if not problem:
                    return replace(isolation, python=python), ""
    except OSError as error:
        problem = f"{error.filename}: {error.strerror}"
    finally:
        # `doctor` tries it as well, and changes nothing.
        with contextlib.suppress(OSError):
            for each in absent:
                each.rmdir()
    return None, problem


def _problem(argv: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            argv,
            cwd="/",
            env=environment.minimal(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_DEADLINE_S,
            check=False,
        )
    except OSError as error:
        return f"{argv[0]} can't be run: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"{argv[0]} did not finish within {_DEADLINE_S:g} s"
    last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return "" if done.returncode == 0 else last or f"exit code {done.returncode}"


def prepared(folder: Path, user: BuildUser | None) -> Path:
    """Create a folder that the user of builds, if it is another one, can pass, but not list.

    Raise OSError.
    """
    if folder.is_dir():
        return folder
    if user is None:
        private_files.make_folder(folder)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(private_files.PASSABLE)
    return folder
