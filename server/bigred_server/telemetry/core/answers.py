"""Answers to users within a look, by the release that gave them. Pure."""

from dataclasses import dataclass, field

from bigred_server.telemetry.core.comparison import NodeCounts


@dataclass
class Answers:
    """The answers of both releases, and of each server while it ran the new release."""

    new: NodeCounts = field(default_factory=NodeCounts)
    old: NodeCounts = field(default_factory=NodeCounts)
    nodes: dict[str, NodeCounts] = field(default_factory=dict)

    def add(self, is_new: bool | None, server: str, requests: int, errors: int) -> None:
        """Add answers of a server; `is_new` is None if it ran neither release."""
        added = NodeCounts(requests, errors)
        if is_new:
            self.new += added
            self.nodes[server] = self.nodes.get(server, NodeCounts()) + added
        elif is_new is False:
            self.old += added
