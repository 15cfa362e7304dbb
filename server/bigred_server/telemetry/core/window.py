"""The log lines of one look, counted by node as they arrive. Pure."""

from collections import Counter
from dataclasses import dataclass, field

from bigred_server.model.log_line import LogLine
from bigred_server.telemetry.core.clients import Clients
from bigred_server.telemetry.core.cohort import Cohort

_LATE_S = 2.0
_MOST_CLIENTS = 20_000
_MOST_GROUPS = 50
OTHERS = "others"
_ERROR = "error"


@dataclass(frozen=True)
class LatencySample:
    """The latency of one request: when it ended (Unix time), and how long it took in ms."""

    at: float
    group: str
    took_ms: int


@dataclass
class NodeWindow:
    """One node in one look. `clients`: for each, whether it met an error that counts.

    `timed`: the (client, path group) pairs that have their sample. `where`: errors by path group.
    """

    requests: int = 0
    errors: int = 0
    clients: dict[str, bool] = field(default_factory=dict)
    timed: set[tuple[str, str]] = field(default_factory=set)
    samples: list[LatencySample] = field(default_factory=list)
    where: Counter[str] = field(default_factory=Counter)


@dataclass
class Window:
    """All nodes, by HAProxy's server name and the cohort at the start of the request."""

    nodes: dict[tuple[str, Cohort | None], NodeWindow] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    received: int = 0
    late: int = 0

    def add(self, line: LogLine, came: float, cohort: Cohort | None, clients: Clients) -> None:
        """Count a line that arrived at `came` (Unix time); `cohort`: when its request began."""
        self.received += 1
        self.late += came - line.at > _LATE_S
        node = self.nodes.setdefault((line.server, cohort), NodeWindow())
        node.requests += 1
        failed = line.failed
        if line.client not in node.clients and len(node.clients) < _MOST_CLIENTS:
            node.clients[line.client] = False
        group = self._group(line)
        if failed:
            node.errors += 1
            node.where[group] += 1
            hit = node.clients.get(line.client, True)
            if not hit and clients.counts(line.client, line.server, line.at, _ERROR):
                node.clients[line.client] = True
        elif line.took_ms >= 0 and len(node.timed) < _MOST_CLIENTS:
            self._time(node, line, group, clients)

    def _time(self, node: NodeWindow, line: LogLine, group: str, clients: Clients) -> None:
        """Keep one sample per client and path group, so that a slow client counts once in each."""
        if (line.client, group) in node.timed:
            return
        node.timed.add((line.client, group))
        if clients.counts(line.client, line.server, line.at, group):
            node.samples.append(LatencySample(line.at, group, line.took_ms))

    def _group(self, line: LogLine) -> str:
        group = line.group
        if group not in self.groups and len(self.groups) >= _MOST_GROUPS:
            return OTHERS
        self.groups.add(group)
        return group
