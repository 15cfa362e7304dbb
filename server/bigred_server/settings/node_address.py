"""Where the Tomcat behind each `server` line of HAProxy can be reached, as far as that is known."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
# A host that never exists (RFC 2606): until it is replaced, every check fails and says so.
_NOWHERE = "{}.invalid"
_NO_ADDRESS = "HAProxy has no address for {}: give the one of its Tomcat."
_ELSEWHERE = "HAProxy reaches {} at {} of its own machine: check how it is reached from here."
_TWICE = "HAProxy has the address of {} for {} as well: two nodes can't be one Tomcat."


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
class NodeAddress:
    """A node's url; `host`: its machine, "" for this one; `doubt`: what must be checked, or ""."""

    url: str
    host: str = ""
    doubt: str = ""


def node_addresses(
    ids: Sequence[str], servers: Sequence[ServerLine], home: str
) -> list[NodeAddress]:
    """Give the address of each server; `home`: the machine of HAProxy, "" for this one.

    No two are alike: where HAProxy does not say enough, the url leads nowhere and is in doubt.
    """
    found: list[NodeAddress] = []
    names: dict[tuple[str, int], str] = {}
    for node, server in zip(ids, servers, strict=True):
        address = _address(node, server, home)
        other = names.setdefault(tomcat_of(address.url), server.name)
        if other != server.name:
            doubt = _TWICE.format(other, server.name)
            address = NodeAddress(_url(server, _NOWHERE.format(node), "8080"), address.host, doubt)
        found.append(address)
    return found


def tomcat_of(url: str) -> tuple[str, int]:
    """Return the host and the port of a url: two that are equal lead to one Tomcat."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    return "127.0.0.1" if host == "localhost" else host, parts.port or _PORTS[parts.scheme]


def _address(node: str, server: ServerLine, home: str) -> NodeAddress:
    name, _, port = server.address.rpartition(":")
    host = name.strip("[]")
    is_loopback, is_unspecified = _kind(host)
    if not host or is_unspecified:
        url = _url(server, _NOWHERE.format(node), port or "8080")
        return NodeAddress(url, "", _NO_ADDRESS.format(server.name))
    if is_loopback and home:
        url = _url(server, home, port)
        return NodeAddress(url, home, _ELSEWHERE.format(server.name, server.address))
    return NodeAddress(_url(server, host, port), "" if is_loopback else host)


def _url(server: ServerLine, host: str, port: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if server.tls else 'http'}://{shown}:{port}"


def _kind(host: str) -> tuple[bool, bool]:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost", False
    return address.is_loopback, address.is_unspecified
