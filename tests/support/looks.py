"""Looks at nodes and servers from flat arguments, for tests that need many of them."""

from dataclasses import fields, replace
from typing import Any, TypeVar

from bigred_server.haproxy.rows import ServerRow
from bigred_server.rollout.core.observation import Admin, Answer, HostLook, NodeLook, ServerLook

_POOL = {field.name for field in fields(ServerLook)}
_HOST = {field.name for field in fields(HostLook)} - _POOL

Look = TypeVar("Look", NodeLook, ServerRow)


def node_look(
    name: str = "",
    admin: Admin = Admin.UNKNOWN,
    up: bool = False,
    fresh: bool | None = False,
    in_flight: int = 0,
    digest: str | None = None,
    running: bool | None = None,
    answer: Answer | None = None,
    **more: Any,
) -> NodeLook:
    """Return a node's look; `more` are further fields of a ServerLook or a HostLook."""
    pool = ServerLook(admin, up, fresh, in_flight)
    host = HostLook(digest, running)
    return changed(NodeLook(name, pool, host, answer or Answer()), **more)


def server_row(name: str, admin: Admin, **more: Any) -> ServerRow:
    """Return a row of one HAProxy; `more` are fields of a ServerLook or of the row itself."""
    return changed(ServerRow(name, ServerLook(admin)), **more)


def changed(look: Look, **changes: Any) -> Look:
    """Return a look with some fields changed, wherever they are in it."""
    parts = {"pool": _POOL, "host": _HOST} if isinstance(look, NodeLook) else {"look": _POOL}
    for part, names in parts.items():
        inside = {name: changes.pop(name) for name in names & changes.keys()}
        changes[part] = replace(getattr(look, part), **inside)
    return replace(look, **changes)
