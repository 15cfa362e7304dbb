"""What a configuration must say about one site: what HAProxy reports, and guesses."""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from bigred_server.settings.reference import KeyPath

TomlValue = str | list[str]
TomlTables = dict[KeyPath, dict[str, TomlValue]]

BOX = "office"
STATE = "/var/lib/bigred"
_LONGEST_ID = 32
_NODES = "check war, stop, start and running of each node. Nodes are updated in this order."
_URLS = "check every key of each node. Nodes are updated in this order."
_HAPROXY = 'name HAProxy\'s Runtime API, which needs "level admin", and the backend of the app.'
_PATH = "the app must report its version at this path, in the header X-Release."
_CHECKED = (
    "HAProxy checks this path; the app must report its version there, in the header X-Release."
)
_CONTEXT = "a guess: the first part of the path that HAProxy checks."


class ServerLine(Protocol):
    """A `server` line of HAProxy; `address` is "host:port", or "" where it has none."""

    @property
    def name(self) -> str:
        """The name on the line."""

    @property
    def address(self) -> str:
        """Where the Tomcat listens."""

    @property
    def tls(self) -> bool:
        """Whether it expects TLS."""


@dataclass(frozen=True)
class SiteSurvey:
    """Runtime APIs of HAProxy, a backend, its servers, and the path that its check requests.

    `home`: the machine that is HAProxy's own 127.0.0.1, "" for this one. `is_example`: nobody asked
    HAProxy, so all of it is made up.
    """

    sockets: tuple[str, ...]
    backend: str
    servers: Sequence[ServerLine]
    check_path: str = ""
    home: str = ""
    is_example: bool = field(default=False, kw_only=True)

    @cached_property
    def app(self) -> str:
        """The id of the app: the backend's name, as far as an id can have it."""
        return identifiers([self.backend])[0]

    @cached_property
    def nodes(self) -> dict[str, str]:
        """The ids of the nodes in their order, and the host of each, "" for this machine."""
        ids = identifiers([server.name for server in self.servers])
        hosts = [_host(server.address, self.home) for server in self.servers]
        return dict(zip(ids, hosts, strict=True))

    @property
    def context(self) -> str:
        """The context path, if it is not the app's name; "" if it is, or if nobody knows."""
        # "/shop/health" asks the app under /shop; "/health" says nothing about it.
        first, slash, _ = self.check_path.removeprefix("/").partition("/")
        return f"/{first}" if slash and first and first != self.app and " " not in first else ""

    def tables(self) -> TomlTables:
        """Give every table that the configuration needs, with its keys."""
        app: KeyPath = ("apps", self.app)
        found: TomlTables = {("server",): {"state": STATE}, ("boxes", BOX): {"app": self.app}}
        if self.context:
            found[app] = {"context": self.context}
        sockets: TomlValue = self.sockets[0] if len(self.sockets) == 1 else list(self.sockets)
        found[*app, "haproxy"] = {"socket": sockets, "backend": self.backend}
        found[*app, "marker"] = {"path": self.check_path or f"/{self.app}/health"}
        for node, table in self._nodes():
            found[*app, "nodes", node] = table
            if host := self.nodes[node]:
                found[*app, "nodes", node, "ssh"] = {"host": host}
        return found

    def edits(self) -> dict[KeyPath, str]:
        """Give what a person must check, by the table or key that it is about."""
        app: KeyPath = ("apps", self.app)
        found = {(*app, "haproxy"): _HAPROXY} if self.is_example else {}
        if self.context:
            found[*app, "context"] = _CONTEXT
        is_checked = self.check_path and not self.is_example
        found[*app, "marker", "path"] = _CHECKED if is_checked else _PATH
        found[*app, "nodes", next(iter(self.nodes))] = _URLS if self.is_example else _NODES
        return found

    def _nodes(self) -> Iterator[tuple[str, dict[str, TomlValue]]]:
        hosts = list(self.nodes.values())
        war = self.context.removeprefix("/") or self.app
        for server, (node, host) in zip(self.servers, self.nodes.items(), strict=True):
            service = "tomcat10" if hosts.count(host) == 1 else f"tomcat10-{node}"
            port = server.address.rpartition(":")[2] or "8080"
            shown = f"[{host}]" if ":" in host else host or "127.0.0.1"
            sudo = ["sudo", "-n"] if host else []
            yield (
                node,
                {
                    "url": f"{'https' if server.tls else 'http'}://{shown}:{port}",
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


def _host(address: str, home: str) -> str:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return home if ipaddress.ip_address(host).is_loopback else host
    except ValueError:
        return home if host in ("", "localhost") else host
