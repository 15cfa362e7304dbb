"""What a configuration must say about one site: what HAProxy reports, and guesses."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bigred_server.settings import checked_path
from bigred_server.settings.node_address import NodeAddress, ServerLine, node_addresses
from bigred_server.settings.reference import KeyPath

TomlValue = str | list[str]
TomlTables = dict[KeyPath, dict[str, TomlValue]]

BOX = "office"
STATE = "/var/lib/bigred"
_LONGEST_ID = 32
_NODES = "check war, stop, start and running of each node. Nodes are updated in this order."
_URLS = "check every key of each node. Nodes are updated in this order."
_HAPROXY = 'name HAProxy\'s Runtime API, which needs "level admin", and the backend of the app.'
_OTHERS = (
    "these backends have the same Tomcats. Keep those whose users must lose no request; move the "
    "others to `unmanaged`."
)
_PATH = "the app must report its version at this path, in the header X-Release."
_CHECKED = (
    "HAProxy checks this path; the app must report its version there, in the header X-Release."
)
_LEFT_OUT = "HAProxy checks a path with more to it, left out here because it may be a secret. "
_CONTEXT = "a guess: the first part of the path that HAProxy checks."
_CONTEXT_BY_NAME = 'a guess: the backend\'s name. Without a path of its own (ROOT.war), write "".'
TCP = "HAProxy carries connections here, so users stay on their node until they hang up."


@dataclass(frozen=True)
class SiteSurvey:
    """Runtime APIs of HAProxy, a backend, its servers, and what its check requests.

    `check_uri`: a path, perhaps with a query; "" if unknown. `home`: the machine that is HAProxy's
    own 127.0.0.1, "" for this one. `others`: further backends with the same Tomcats. `left_out`:
    the servers that are not taken for nodes, and what each is. `tomcat`: the name of Tomcat's
    service. `is_tcp`: the backend is in mode tcp. `is_example`: nobody asked HAProxy, so all of it
    is made up.
    """

    sockets: tuple[str, ...]
    backend: str
    servers: Sequence[ServerLine]
    check_uri: str = ""
    home: str = ""
    others: tuple[str, ...] = field(default=(), kw_only=True)
    left_out: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    tomcat: str = field(default="tomcat10", kw_only=True)
    is_tcp: bool = field(default=False, kw_only=True)
    is_example: bool = field(default=False, kw_only=True)

    @cached_property
    def app(self) -> str:
        """The id of the app: the backend's name, as far as an id can have it."""
        return identifiers([self.backend])[0]

    @cached_property
    def nodes(self) -> dict[str, NodeAddress]:
        """The ids of the nodes in their order, and where each is."""
        ids = identifiers([server.name for server in self.servers])
        return dict(zip(ids, node_addresses(ids, self.servers, self.home), strict=True))

    @property
    def check_path(self) -> str:
        """The path that HAProxy checks, "" if it is unknown, a secret or not the app's."""
        path, _ = checked_path.public(self.check_uri)
        return "" if checked_path.is_tomcats_own(path) else path

    @property
    def context(self) -> str:
        """The context path as far as it can be guessed: from the check, or from the app's name."""
        return checked_path.context_of(self.check_path) or f"/{self.app}"

    def tables(self) -> TomlTables:
        """Give every table that the configuration needs, with its keys."""
        app: KeyPath = ("apps", self.app)
        found: TomlTables = {("server",): {"state": STATE}, ("boxes", BOX): {"app": self.app}}
        if not self._is_context_certain:
            found[app] = {"context": self.context}
        sockets: TomlValue = self.sockets[0] if len(self.sockets) == 1 else list(self.sockets)
        backends: TomlValue = [self.backend, *self.others] if self.others else self.backend
        found[*app, "haproxy"] = {"socket": sockets, "backend": backends}
        found[*app, "marker"] = {"path": self.check_path or f"/{self.app}/health"}
        for node, table in self._nodes():
            found[*app, "nodes", node] = table
            if host := self.nodes[node].host:
                found[*app, "nodes", node, "ssh"] = {"host": host}
        return found

    def edits(self) -> dict[KeyPath, str]:
        """Give what a person must check, by the table or key that it is about."""
        app: KeyPath = ("apps", self.app)
        found = {(*app, "haproxy"): _HAPROXY} if self.is_example else {}
        if self.others:
            found[*app, "haproxy", "backend"] = _OTHERS
        if self.is_tcp:
            found[*app, "haproxy"] = f"use mode http. {TCP}"
        if not self._is_context_certain:
            is_by_path = bool(checked_path.context_of(self.check_path))
            found[*app, "context"] = _CONTEXT if is_by_path else _CONTEXT_BY_NAME
        is_checked = self.check_path and not self.is_example
        found[*app, "marker", "path"] = _CHECKED if is_checked else _PATH
        if checked_path.public(self.check_uri)[1]:
            found[*app, "marker", "path"] = _LEFT_OUT
        nodes = _URLS if self.is_example else _NODES
        if self.left_out:
            left_out = ", ".join(f"{name} ({what})" for name, what in self.left_out.items())
            nodes = f"{nodes} Left out: {left_out}."
        found[*app, "nodes", next(iter(self.nodes))] = nodes
        for node, address in self.nodes.items():
            if address.doubt:
                found[*app, "nodes", node, "url"] = address.doubt
        return found

    @property
    def _is_context_certain(self) -> bool:
        # The backend's name and the path that HAProxy checks say the same, or there is no path.
        return checked_path.context_of(self.check_path) == f"/{self.app}" or not self.check_uri

    def _nodes(self) -> Iterator[tuple[str, dict[str, TomlValue]]]:
        hosts = [address.host for address in self.nodes.values()]
        war = self.context.removeprefix("/")
        for server, (node, address) in zip(self.servers, self.nodes.items(), strict=True):
            host = address.host
            service = self.tomcat if hosts.count(host) == 1 else f"{self.tomcat}-{node}"
            sudo = ["sudo", "-n"] if host else []
            yield (
                node,
                {
                    "url": address.url,
                    **({"server": server.name} if server.name != node else {}),
                    **({"reach": "ssh"} if host else {}),
                    "war": f"/var/lib/{service}/webapps/{war}.war",
                    "stop": [*sudo, "systemctl", "stop", service],
                    "start": [*sudo, "systemctl", "start", service],
                    "running": ["systemctl", "is-active", "--quiet", service],
                },
            )


@dataclass(frozen=True)
class _ExampleServer:
    name: str
    address: str
    tls: bool = False


EXAMPLE = SiteSurvey(
    ("/run/haproxy/admin.sock",),
    "shop",
    (_ExampleServer("node1", "127.0.0.1:8080"), _ExampleServer("node2", "192.0.2.2:8080")),
    "/shop/health",
    is_example=True,
)


def identifiers(names: Sequence[str]) -> list[str]:
    """Turn names into ids, 1 to 32 of a-z, 0-9 and "-", no two alike."""
    ids: list[str] = []
    for name in names:
        plain = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:_LONGEST_ID].strip("-")
        candidate, number = plain or "node", 2
        while candidate in ids:
            suffix = f"-{number}"
            candidate = f"{(plain or 'node')[: _LONGEST_ID - len(suffix)]}{suffix}"
            number += 1
        ids.append(candidate)
    return ids
