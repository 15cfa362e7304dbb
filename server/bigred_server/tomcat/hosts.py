"""Makes the hosts of nodes: local, or reached by SSH over one connection per machine."""

from typing import TYPE_CHECKING

from bigred_server.rollout.core.observation import HostLook
from bigred_server.settings import NodeSettings
from bigred_server.tomcat.host import Host
from bigred_server.tomcat.local import LocalHost
from bigred_server.tomcat.short_calls import ShortCalls

if TYPE_CHECKING:
    from bigred_server.tomcat.connection import SshConnections


class Hosts:
    """Makes hosts. The hosts made by one instance share their SSH connections and their threads."""

    def __init__(self) -> None:
        self._connections: SshConnections | None = None
        self._calls = ShortCalls[HostLook]()

    def of(self, node: NodeSettings) -> Host | None:
        """Return the host of a node, None if it is reached only by HTTP. Raise NodeError."""
        if node.war is None:
            return None
        if node.ssh is None:
            return LocalHost(node, self._calls)
        # Imported late: the library takes 0.3 s to load, and not every site needs it.
        from bigred_server.tomcat.connection import SshConnections
        from bigred_server.tomcat.ssh import SshHost

        self._connections = self._connections or SshConnections()
        return SshHost(node, self._connections.to(node.ssh))
