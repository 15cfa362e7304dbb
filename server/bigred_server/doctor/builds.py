"""Check how builds are confined on this machine, and what people who can push could reach."""

import os
from pathlib import Path

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.doctor.private import server_user
from bigred_server.errors import BuildError
from bigred_server.hook.owner import FileOwner
from bigred_server.pipeline.isolation import isolation_of
from bigred_server.settings import Settings
from bigred_server.settings.build import SandboxMode

_CODE = "builds"
_USER = "set `build_user` in [server]"
_SANDBOX = "install the package bubblewrap and allow user namespaces"


def check(settings: Settings) -> list[Finding]:
    """Check the users and the sandbox of builds, by trying them; nothing without builds."""
    if not any(app.build for app in settings.fleets.values()):
        return []
    where, server = "server, builds", settings.server
    if server.build_user and os.geteuid() != 0:
        text = "only root can try whether builds can run as the `build_user`"
        return [Finding(_CODE, Severity.UNKNOWN, where, text, "run doctor as root")]
    if not server.build_user and (user := _another_user(server.state)) is not None:
        name = FileOwner(user, user).name
        text = f"the server runs as {name}, and only as {name} can it be tried how its builds run"
        return [Finding(_CODE, Severity.UNKNOWN, where, text, f"run doctor as {name}")]
    try:
        found = isolation_of(settings)
    except BuildError as error:
        fix = "correct it: the server does not start without it"
        return [Finding(_CODE, Severity.BAD, where, str(error), fix)]
    text = f"they run {found.text(network=False)}"
    if found.user is None and os.geteuid() == 0:
        danger = f"{text}, which is root: whoever can push has its rights"
        return [Finding(_CODE, Severity.WARN, where, danger, _USER)]
    if not found.sandbox and server.sandbox is not SandboxMode.OFF:
        reach = "the network" if found.user else "all that the server can reach"
        danger = f"{text}: whoever can push can reach {reach}"
        return [Finding(_CODE, Severity.WARN, where, danger, _SANDBOX)]
    if not found.sandbox and found.user is None:
        danger = f"{text}: whoever can push can reach all that the server can reach"
        return [Finding(_CODE, Severity.WARN, where, danger, f"{_USER}, or allow the sandbox")]
    return [Finding(_CODE, Severity.OK, where, text)]


def _another_user(state: Path) -> int | None:
    """Return the server's user if we are another one; None if we aren't, or nothing is there yet.

    A journal in PostgreSQL belongs to nobody here, but the state folder does.
    """
    user = server_user(state)
    if user is None and state.exists():
        user = state.stat().st_uid
    return None if user == os.geteuid() else user
