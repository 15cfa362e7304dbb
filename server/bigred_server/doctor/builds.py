"""Check how builds are confined on this machine, and what whoever can push could reach."""

import os

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.errors import BuildError
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
