"""Who answered users in a look: the new release, or the old one. Pure."""

from dataclasses import dataclass, field

from bigred_server.telemetry.core.comparison import NodeCounts


@dataclass
class Answers:
    """The answers of both, and of each server on the new release, by what it ran at the time."""

    new: NodeCounts = field(default_factory=NodeCounts)
    old: NodeCounts = field(default_factory=NodeCounts)
    nodes: dict[str, NodeCounts] = field(default_factory=dict)

    def add(self, is_new: bool | None, server: str, requests: int, errors: int) -> None:
        """Add answers of a server; None for one that ran neither."""
        added = NodeCounts(requests, errors)
        if is_new:
            self.new += added
            self.nodes[server] = self.nodes.get(server, NodeCounts()) + added
        elif is_new is False:
            self.old += added
