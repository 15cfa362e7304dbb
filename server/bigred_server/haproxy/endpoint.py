"""The address of a server, in one form for comparison. Pure."""

import functools
import ipaddress

_THIS_MACHINE = ("127.0.0.1", "127.0.1.1", "::1")


@functools.lru_cache(maxsize=8192)
def normalized(address: str) -> str:
    """Return "host:port" in the form in which two addresses of one Tomcat are equal.

    HAProxy gives the address that a name resolved to. IPv4 mapped to IPv6 is the same as IPv4, and
    so are ::1, 127.0.0.1 and 127.0.1.1, which Debian gives to the machine's own name: Tomcat
    listens on all of them. Return "" for anything but an IP address and a port, such as HAProxy's
    "unix".
    """
    host, colon, port = address.rpartition(":")
    try:
        ip = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return ""
    if not colon or not port.isdigit():
        return ""
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    return f"{'127.0.0.1' if str(ip) in _THIS_MACHINE else ip}:{port}"


def host_of(endpoint: str) -> str:
    """Return the host of a normalized endpoint."""
    return endpoint.rpartition(":")[0]
