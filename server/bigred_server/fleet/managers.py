"""The Managers of an app's nodes."""

from typing import TYPE_CHECKING

import httpx2

from bigred_server.settings import AppSettings, NodeSettings

if TYPE_CHECKING:
    from bigred_server.tomcat.manager import Manager


def managers_of(http: httpx2.AsyncClient, app: AppSettings, context: str) -> "dict[str, Manager]":
    """Return the Managers of those of an app's nodes that have one."""
    found = {name: manager_of(http, node, context) for name, node in app.nodes.items()}
    return {name: one for name, one in found.items() if one is not None}


def manager_of(http: httpx2.AsyncClient, node: NodeSettings, context: str) -> "Manager | None":
    """Return a node's Manager, None if it has none; `context`: the app's context path."""
    if node.manager is None:
        return None
    # Imported late: few nodes have one.
    from bigred_server.tomcat.manager import Manager
    from bigred_server.tomcat.manager_call import ManagerCall

    call = ManagerCall(http, node.manager_url, node.manager.user, node.manager.password_file)
    return Manager(call, context)
