"""What in HAProxy's configuration costs requests in every deployment: for those who plan one."""

import asyncio

from bigred_server.doctor import haproxy_file
from bigred_server.doctor.finding import Finding, Severity
from bigred_server.errors import HaproxyError
from bigred_server.haproxy.survey import Survey, survey
from bigred_server.settings import AppSettings


async def faults(app: AppSettings) -> list[Finding]:
    """Return the bad findings in the files of an app's HAProxies; nothing of what can't be read."""
    found = await asyncio.gather(*(_faults(app, address) for address in app.haproxy.sockets))
    return [finding for one in found for finding in one if finding.level is Severity.BAD]


async def _faults(app: AppSettings, address: str) -> list[Finding]:
    try:
        seen = await survey(address)
    except HaproxyError:
        return []  # the plan's own look reports that
    return [finding for name in app.haproxy.backends for finding in of_backend(app, seen, name)]


def of_backend(app: AppSettings, seen: Survey, name: str) -> list[Finding]:
    """Check a backend of an app in the file of the HAProxy that was seen."""
    return haproxy_file.findings(
        f"HAProxy at {seen.address}, backend {name}",
        seen.proxy(name),
        seen.unread or f"its configuration has no backend {name!r}",
        app.sessions,
        shared=app.sessions_shared,
        context=app.context,
        mode=seen.modes.get(name, ""),
    )
