"""A node's port: when something begins to listen there."""

import asyncio
import contextlib
from urllib.parse import urlsplit

_EVERY_S = 0.015
_DEADLINE_S = 1.0
_DEFAULT = {"http": 80, "https": 443}


async def until_opened(url: str) -> None:
    """Return when the port of a url accepts connections after it has refused them; perhaps never.

    A Tomcat may open its port long before its app answers: that is no news each time.
    """
    parts = urlsplit(url)
    port = parts.port or _DEFAULT[parts.scheme]
    has_refused = False
    while True:
        accepts = await _accepts(parts.hostname or "", port)
        if accepts and has_refused:
            return
        has_refused = has_refused or not accepts
        await asyncio.sleep(_EVERY_S)


async def _accepts(host: str, port: int) -> bool:
    with contextlib.suppress(OSError):  # a TimeoutError is one
        async with asyncio.timeout(_DEADLINE_S):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
        return True
    return False
