"""The server lines of an app on one HAProxy, in all its backends there."""

import contextlib
from dataclasses import dataclass

from bigred_server.errors import NoBackendError
from bigred_server.haproxy.backend import Backend
from bigred_server.haproxy.membership import member_names
from bigred_server.haproxy.merge import MemberLook

Line = tuple[Backend, str]


@dataclass(frozen=True)
class ServerLines:
    """The lines of one server. The `followers` track one of the others, and have its state."""

    leaders: tuple[Line, ...]
    followers: tuple[Line, ...] = ()


async def look_at(first: Backend, *others: Backend) -> list[MemberLook]:
    """Look at all backends of one HAProxy in one request; it may lack any but the first."""
    seen = await first.read(first.address)
    look = seen.backend(first.name)
    found = [MemberLook(first.address, first.name, look, member_names(look, look))]
    for one in others:
        with contextlib.suppress(NoBackendError):
            other = seen.backend(one.name)
            names = member_names(look, other)
            found.append(MemberLook(one.address, one.name, other, names, is_first=False))
    return found


async def lines_of(server: str, first: Backend, *others: Backend) -> ServerLines:
    """Return the lines of a server of the first backend."""
    if not others:
        return ServerLines(((first, server),))
    backends = {one.name: one for one in (first, *others)}
    found = [
        (backends[one.backend], name, one.look.servers[name].tracked)
        for one in await look_at(first, *others)
        for name in one.names.get(server, ())
    ]
    ours = {f"{backend.name}/{name}" for backend, name, _ in found}
    leaders = tuple((backend, name) for backend, name, tracked in found if tracked not in ours)
    followers = tuple((backend, name) for backend, name, tracked in found if tracked in ours)
    # A server that the first backend lacks is refused by that backend.
    return ServerLines(leaders or ((first, server),), followers)
