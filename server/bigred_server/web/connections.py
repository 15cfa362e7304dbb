"""The open connections of the HTTP API: how many there may be, and which one has to make way."""

import ipaddress
from collections import Counter
from typing import Protocol


class OpenConnection(Protocol):
    """A connection, as far as its place among the others is concerned."""

    address: str
    """The client's address."""
    since_s: float
    """When it began to wait for what it waits for now, on a monotonic clock."""

    @property
    def is_answering(self) -> bool:
        """Whether a whole request is in the server's hands."""

    def make_way(self) -> None:
        """Close it in favour of another one."""


class Connections:
    """All open connections: at most `most` in all, and `most_per_client` of one address.

    At a limit the new connection stays, and an old one is closed: one that waits for its client,
    never one whose request the server is answering. So connections that do nothing keep nobody out.
    Connections from this machine itself count only in all: there they usually come from a proxy,
    on behalf of many clients.
    """

    def __init__(self, most: int, most_per_client: int) -> None:
        self._most = most
        self._most_per_client = most_per_client
        self._open: list[OpenConnection] = []

    def add(self, new: OpenConnection) -> bool:
        """Add a connection and close another one if needed. Return False if there is no room."""
        same = [one for one in self._open if one.address == new.address]
        if len(same) >= self._most_per_client and not _is_local(new.address):
            has_room = self._close_one(same)
        elif len(self._open) >= self._most:
            has_room = self.make_room()
        else:
            has_room = True
        if has_room:
            self._open.append(new)
        return has_room

    def make_room(self) -> bool:
        """Close the oldest connection of the client that has the most. Return whether one was."""
        return self._close_one(self._open)

    def remove(self, gone: OpenConnection) -> None:
        """Forget a connection that is closed."""
        if gone in self._open:
            self._open.remove(gone)

    def _close_one(self, among: list[OpenConnection]) -> bool:
        waiting = [one for one in among if not one.is_answering]
        if not waiting:
            return False
        of_client = Counter(one.address for one in self._open)
        last = min(waiting, key=lambda one: (-of_client[one.address], one.since_s))
        self._open.remove(last)
        last.make_way()
        return True


def _is_local(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
