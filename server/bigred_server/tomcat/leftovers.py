"""What redeployments leave in the memory of a Tomcat that is not restarted."""

from collections.abc import Awaitable, Callable

from bigred_server.errors import NodeError
from bigred_server.tomcat.manager import Manager

_LEAKS_DEADLINE_S = 30.0


async def leftovers(
    manager: Manager, redeploys_since: Callable[[float], Awaitable[int]], most: int
) -> str:
    """Describe what is left; it is not an error if that can't be determined.

    `redeploys_since`: counts the redeployments since a Unix time; `most`: from how many on to warn.
    Tomcat runs a full garbage collection for this, so no new users may reach the node.
    """
    leaks = await _leaks(manager)
    try:
        times = await redeploys_since(await manager.started_at())
    except NodeError as error:
        return f"{leaks}; redeployments unknown: {error}"
    if times < most:
        return leaks
    return f"{leaks}; redeployed {times} times since Tomcat's start: restart it when you can"


async def _leaks(manager: Manager) -> str:
    try:
        count = await manager.leaks(_LEAKS_DEADLINE_S)
    except NodeError as error:
        return f"leaks unknown: {error}"
    if count == 0:
        return "no leaks found"
    return f"earlier instances of the app still in memory: {count}; restart Tomcat when you can"
