"""A window: the log lines of one look, counted by node as they come. Pure."""

from collections import Counter
from dataclasses import dataclass, field

from bigred_server.haproxy.log import LogLine
from bigred_server.witness.clients import Clients
from bigred_server.witness.side import Side

_LATE_S = 2.0
_MOST_CLIENTS = 20_000
_MOST_GROUPS = 50
OTHERS = "others"


@dataclass(frozen=True)
class Sample:
    """How long one request of one client took: when it ended (Unix time), and in milliseconds."""

    at: float
    group: str
    took_ms: int


@dataclass
class NodeWindow:
    """One node in one look. `clients`: each with whether it met an error that counts."""

    requests: int = 0
    errors: int = 0
    clients: dict[str, bool] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    where: Counter[str] = field(default_factory=Counter)


@dataclass
class Window:
    """All nodes, by HAProxy's names of their servers and the side that they were on."""

    nodes: dict[tuple[str, Side | None], NodeWindow] = field(default_factory=dict)
    taken: int = 0
    late: int = 0

    def take(self, line: LogLine, came: float, side: Side | None, clients: Clients) -> None:
        """Count a line that came at a moment (Unix time); `side`: when its request began."""
        self.taken += 1
        self.late += came - line.at > _LATE_S
        node = self.nodes.setdefault((line.server, side), NodeWindow())
        node.requests += 1
        failed = line.failed
        is_new = line.client not in node.clients and len(node.clients) < _MOST_CLIENTS
        if is_new:
            node.clients[line.client] = False
            if clients.counts(line.client, line.server, line.at, failed=False) and not failed:
                self._time(node, line)
        if failed:
            group = self._group(node, line)
            node.errors += 1
            node.where[group] += 1
            hit = node.clients.get(line.client, True)
            if not hit and clients.counts(line.client, line.server, line.at, failed=True):
                node.clients[line.client] = True

    def _time(self, node: NodeWindow, line: LogLine) -> None:
        if line.took_ms >= 0:
            node.samples.append(Sample(line.at, line.group, line.took_ms))

    @staticmethod
    def _group(node: NodeWindow, line: LogLine) -> str:
        group = line.group
        return group if group in node.where or len(node.where) < _MOST_GROUPS else OTHERS
