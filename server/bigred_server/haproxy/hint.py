"""A hint that a server has changed in HAProxy: when it is worth while to look at the whole pool.

It reads one row, many times a second. Nothing is decided on it: the look that follows counts.
"""

import asyncio
import contextlib
from collections.abc import Mapping

from bigred_server.errors import HaproxyError
from bigred_server.haproxy import rows, runtime, tables
from bigred_server.haproxy.backend import Backend
from bigred_server.rollout.core.observation import Admin, ServerLook

_EVERY_S = 0.015
# Where HAProxy or this machine is slow, or many wait at once: how many times as long as it takes.
_PAUSES = 10
_SERVERS = 4


async def until_changed(backend: Backend, server: str, look: ServerLook) -> None:
    """Return when what a rollout waits for in this `look` seems to have come; perhaps never."""
    time_s = asyncio.get_running_loop().time
    while True:
        begun_s = time_s()
        with contextlib.suppress(HaproxyError):
            if has_changed(await _fields(backend, server), look):
                return
        await asyncio.sleep(max(_EVERY_S, _PAUSES * (time_s() - begun_s)))


def has_changed(fields: Mapping[str, str], look: ServerLook) -> bool:
    """Return whether a row of `show stat` has what a rollout waits for and the look lacks. Pure."""
    if not fields:
        return False
    if look.admin is Admin.READY:
        return not look.up and fields.get("status", "").startswith("UP")
    if look.in_flight:
        return not tables.number(fields.get("scur", "")) + tables.number(fields.get("qcur", ""))
    return look.admin is Admin.DRAIN and look.fresh is False and bool(rows.is_fresh(fields))


async def _fields(backend: Backend, server: str) -> Mapping[str, str]:
    """Return a server's row of `show stat`, empty if there is none."""
    answer = await runtime.command(backend.address, f"show stat {backend.name} {_SERVERS} -1")
    found = (row for row in tables.stat(answer) if row.get("svname") == server)
    return next(found, {})
