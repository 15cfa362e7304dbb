"""Whether the judge can read what the JVMs use: without that it has no guard rails."""

import asyncio
from collections.abc import Iterable, Mapping

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.errors import NodeAwayError, NodeError
from bigred_server.tomcat.manager import Manager

CODE = "tomcat-vitals"
_ROLE = "the user of its Manager needs the role manager-jmx in conf/tomcat-users.xml"


async def look(app: str, nodes: Iterable[str], managers: Mapping[str, Manager]) -> list[Finding]:
    """Judge every node of an app that the judge watches."""
    return await asyncio.gather(*(_node(f"{app}/{name}", managers.get(name)) for name in nodes))


async def _node(where: str, manager: Manager | None) -> Finding:
    if manager is None:
        text = "what its JVM uses can't be read, so a leak is not noticed: it has no table manager"
        return Finding(CODE, Severity.WARN, where, text, f"give it one; {_ROLE}")
    try:
        found = await manager.vitals()
    except NodeAwayError as error:
        text = f"what its JVM uses can't be read: {error}"
        return Finding(CODE, Severity.UNKNOWN, where, text, "look again when Tomcat is there")
    except NodeError as error:
        text = f"what its JVM uses can't be read, so a leak is not noticed: {error}"
        return Finding(CODE, Severity.WARN, where, text, _ROLE)
    return Finding(CODE, Severity.OK, where, f"its JVM can be read: {found.threads} threads")
