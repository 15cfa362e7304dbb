"""Which server lines are the Tomcats of an app's first backend. Pure."""

from collections.abc import Mapping

from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.endpoint import host_of

# For each server of the first backend, the names of its lines in a backend.
Names = Mapping[str, tuple[str, ...]]


def member_names(first: BackendLook, other: BackendLook) -> Names:
    """Return the names that the servers of the first backend have in another one, or in itself.

    A server is the same Tomcat if HAProxy connects to the same address; or if it has the same name
    on the same host, with another port. One backend may have two lines for one Tomcat.
    """
    return {
        name: tuple(
            known_as
            for known_as, theirs in other.servers.items()
            if (ours.endpoint and ours.endpoint == theirs.endpoint)
            or (name == known_as and host_of(ours.endpoint) == host_of(theirs.endpoint))
        )
        for name, ours in first.servers.items()
    }
