"""The server lines of an app on one HAProxy, in all its backends there."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bigred_server.errors import NoBackendError
from bigred_server.haproxy.backend import Backend
from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.membership import member_names
from bigred_server.haproxy.merge import MemberLook

Line = tuple[Backend, str]


@dataclass(frozen=True)
class ServerLines:
    """The lines of one server. The `followers` track one of the others, and have its state."""

    leaders: tuple[Line, ...]
    followers: tuple[Line, ...] = ()


async def look_at(first: Backend, *others: Backend) -> list[MemberLook]:
    """Look at all backends of one HAProxy; it may lack any but the first."""
    look, other_looks = await asyncio.gather(first.look(), _looks_if_there(others))
    found = [MemberLook(first.address, first.name, look, member_names(look, look))]
    for one, other in zip(others, other_looks, strict=True):
        if other is not None:
            names = member_names(look, other)
            found.append(MemberLook(one.address, one.name, other, names, is_first=False))
    return found


async def _looks_if_there(backends: Sequence[Backend]) -> list[BackendLook | None]:
    return await asyncio.gather(*map(_if_there, backends))


async def _if_there(backend: Backend) -> BackendLook | None:
    try:
        return await backend.look()
    except NoBackendError:
        return None


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
