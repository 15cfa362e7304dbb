"""The hosts of the nodes: local, or by SSH over one line to each machine."""

from typing import TYPE_CHECKING

from bigred_server.settings import NodeSettings
from bigred_server.tomcat.host import Host
from bigred_server.tomcat.local import LocalHost

if TYPE_CHECKING:
    from bigred_server.tomcat.connection import SshConnections


class Hosts:
    """Makes hosts. All nodes whose hosts come from one of these share their lines."""

    def __init__(self) -> None:
        self._lines: SshConnections | None = None

    def of(self, node: NodeSettings) -> Host | None:
        """Give the host of a node; None where only HTTP reaches it. Raises NodeError."""
        if node.war is None:
            return None
        if node.ssh is None:
            return LocalHost(node)
        # Late: the library takes 0.3 s to load, and not every site needs it.
        from bigred_server.tomcat.connection import SshConnections
        from bigred_server.tomcat.ssh import SshHost

        self._lines = self._lines or SshConnections()
        return SshHost(node, self._lines.to(node.ssh))
