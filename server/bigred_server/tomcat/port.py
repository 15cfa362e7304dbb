"""A node's port: when something begins to listen there."""

import asyncio
import contextlib
from urllib.parse import urlsplit

_EVERY_S = 0.015
_DEADLINE_S = 1.0
_DEFAULT = {"http": 80, "https": 443}


async def until_opened(url: str) -> None:
    """Return when the port of a url accepts connections after it has refused them; perhaps never.

    A Tomcat may open its port long before its app answers. Then this waits until it is cancelled:
    each further connection would take a place in the queue of those that Tomcat has not accepted.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _DEFAULT[parts.scheme]
    if await _accepts(host, port):
        await asyncio.Event().wait()
    is_open = False
    while not is_open:
        await asyncio.sleep(_EVERY_S)
        is_open = await _accepts(host, port)


async def _accepts(host: str, port: int) -> bool:
    with contextlib.suppress(OSError):  # a TimeoutError is one
        async with asyncio.timeout(_DEADLINE_S):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
        return True
    return False
