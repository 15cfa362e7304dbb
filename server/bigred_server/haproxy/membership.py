"""Which server lines are the Tomcats of an app's first backend. Pure."""

from collections.abc import Mapping

from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.endpoint import host_of
from bigred_server.haproxy.rows import ServerRow

# For each server of the first backend, the names of its lines in a backend.
Names = Mapping[str, tuple[str, ...]]


def member_names(first: BackendLook, other: BackendLook) -> Names:
    """Return the names that the servers of the first backend have in another one, or in itself.

    A server is the same Tomcat if HAProxy connects to the same address, if it has the same name on
    the same host, or if it is the only one on that host in both backends: the port may be another
    one, such as that of TLS. One backend may have two lines for one Tomcat.
    """
    return {
        name: tuple(
            known_as
            for known_as, theirs in other.servers.items()
            if (ours.endpoint and ours.endpoint == theirs.endpoint)
            or (_same_host(ours, theirs) and (name == known_as or _is_alone(ours, first, other)))
        )
        for name, ours in first.servers.items()
    }


def _same_host(one: ServerRow, other: ServerRow) -> bool:
    return host_of(one.endpoint) == host_of(other.endpoint)


def _is_alone(ours: ServerRow, first: BackendLook, other: BackendLook) -> bool:
    if not ours.endpoint:
        return False
    return all(
        sum(_same_host(ours, row) for row in look.servers.values()) == 1 for look in (first, other)
    )
