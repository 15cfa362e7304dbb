"""Which server lines are the Tomcats of an app's first backend. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.endpoint import host_of

# For each server of the first backend, the names of its lines in a backend.
Names = Mapping[str, tuple[str, ...]]


def member_names(first: BackendLook, other: BackendLook) -> Names:
    """Return the names that the servers of the first backend have in another one, or in itself.

    A server is the same Tomcat if HAProxy connects to the same address, if it has the same name on
    the same host, or if it is the only one on that host in both backends: the port may be another
    one, such as that of TLS. One backend may have two lines for one Tomcat.
    """
    index = _Index.of(other)
    own_hosts = _Index.of(first).by_host
    found = {}
    for name, ours in first.servers.items():
        host = host_of(ours.endpoint)
        same_host = index.by_host.get(host, ())
        names = set(index.by_endpoint.get(ours.endpoint, ())) if ours.endpoint else set()
        if name in same_host or (ours.endpoint and len(same_host) == len(own_hosts[host]) == 1):
            names |= {name} if name in same_host else set(same_host)
        found[name] = tuple(names if len(names) <= 1 else filter(names.__contains__, other.servers))
    return found


@dataclass(frozen=True)
class _Index:
    """The servers of a backend, in their order, by what they are compared with."""

    by_endpoint: Mapping[str, Mapping[str, None]]
    by_host: Mapping[str, Mapping[str, None]]

    @classmethod
    def of(cls, look: BackendLook) -> "_Index":
        by_endpoint: dict[str, dict[str, None]] = {}
        by_host: dict[str, dict[str, None]] = {}
        for name, row in look.servers.items():
            by_endpoint.setdefault(row.endpoint, {})[name] = None
            by_host.setdefault(host_of(row.endpoint), {})[name] = None
        return cls(by_endpoint, by_host)
