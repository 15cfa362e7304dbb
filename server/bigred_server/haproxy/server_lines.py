"""The server lines of an app on one HAProxy, in all its backends there."""

import asyncio

from bigred_server.haproxy.backend import Backend
from bigred_server.haproxy.membership import member_names
from bigred_server.haproxy.merge import MemberLook


async def look_at(first: Backend, *others: Backend) -> list[MemberLook]:
    """Look at all backends of one HAProxy."""
    look, *other_looks = await asyncio.gather(*(one.look() for one in (first, *others)))
    found = [MemberLook(first.address, first.name, look, member_names(look, look))]
    for one, other in zip(others, other_looks, strict=True):
        names = member_names(look, other)
        found.append(MemberLook(one.address, one.name, other, names, is_first=False))
    return found


async def lines_of(server: str, *backends: Backend) -> list[tuple[Backend, str]]:
    """Return the server lines to command for a server, but none that follows one of the others."""
    found = [
        (backend, name, one.look.servers[name].tracked)
        for backend, one in zip(backends, await look_at(*backends), strict=True)
        for name in one.names.get(server, ())
    ]
    commanded = {f"{backend.name}/{name}" for backend, name, _ in found}
    targets = [(backend, name) for backend, name, tracked in found if tracked not in commanded]
    # A server that the first backend lacks is refused by that backend.
    return targets or [(backends[0], server)]
