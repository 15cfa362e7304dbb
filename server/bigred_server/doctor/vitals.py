"""Check that the judge can read the JVMs' metrics; without them it has no guard rails."""

import asyncio
from collections.abc import Iterable, Mapping

from bigred_server.doctor.finding import Finding, Severity
from bigred_server.errors import NodeAwayError, NodeError
from bigred_server.tomcat.manager import Manager

CODE = "tomcat-vitals"
_ROLE = "the role manager-jmx in conf/tomcat-users.xml"


async def check(app: str, nodes: Iterable[str], managers: Mapping[str, Manager]) -> list[Finding]:
    """Check every node of an app that the judge watches."""
    return await asyncio.gather(*(_node(f"{app}/{name}", managers.get(name)) for name in nodes))


async def _node(where: str, manager: Manager | None) -> Finding:
    unread = "the JVM's metrics can't be read"
    if manager is None:
        text = f"the node has no `manager` table: {unread}, so a leak goes unnoticed"
        return Finding(
            CODE, Severity.WARN, where, text, f"add the table, and give its user {_ROLE}"
        )
    try:
        found = await manager.vitals()
    except NodeAwayError as error:
        fix = "run `bigred doctor` again when Tomcat is up"
        return Finding(CODE, Severity.UNKNOWN, where, f"{unread}: {error}", fix)
    except NodeError as error:
        text = f"{unread}, so a leak goes unnoticed: {error}"
        return Finding(CODE, Severity.WARN, where, text, f"give the Manager's user {_ROLE}")
    text = f"the JVM's metrics can be read: {found.threads} threads"
    return Finding(CODE, Severity.OK, where, text)
