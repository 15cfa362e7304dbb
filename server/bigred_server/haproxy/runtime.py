"""HAProxy's Runtime API: one command per connection, over a UNIX socket or TCP.

It reports failure in plain words and success with an empty answer, so callers read changes back.
"""

import asyncio

from bigred_server.errors import HaproxyAwayError, HaproxyError

DEADLINE_S = 2.0
_HIGHEST_PORT = 65535
_PROCESSES = ("#<PID>", "#<relative PID>")

# Words in HAProxy's refusals (2.4 to 3.x); it has no status codes.
_REFUSALS = (
    "Permission denied",
    "No such",
    "Unknown command",
    "Require",
    "Invalid",
    "Malformed",
    "Can't",
    "can't",
    "does not",
    "must be",
    "Only ",
    "cannot ",
)


async def command(address: str, text: str, deadline_s: float = DEADLINE_S) -> str:
    """Send one command and return the answer. Raise HaproxyError if none comes in time."""
    try:
        return await _ask(address, text, deadline_s)
    except TimeoutError as error:
        if await _is_master(address, deadline_s):
            raise HaproxyError(
                f"HAProxy at {address}: this is the socket of HAProxy's master, which controls no "
                "server; give the path of a 'stats socket' line of its configuration"
            ) from error
        raise HaproxyAwayError(f"HAProxy at {address}: no answer in {deadline_s:g} s") from error
    except OSError as error:
        raise HaproxyAwayError(
            f"HAProxy at {address} can't be reached: {error}; is it running, and is this its "
            "'stats socket'?"
        ) from error


async def set_command(address: str, text: str, deadline_s: float = DEADLINE_S) -> None:
    """Send a command that changes something. Raise HaproxyError if HAProxy refuses it."""
    answer = (await command(address, text, deadline_s)).strip()
    if "Permission denied" in answer:
        raise HaproxyError(
            f"HAProxy at {address} denies {text!r}; write 'level admin' on its 'stats socket' line"
        )
    if any(word in answer for word in _REFUSALS):
        raise HaproxyError(f"HAProxy at {address} refuses {text!r}: {answer}")


async def _ask(address: str, text: str, deadline_s: float) -> str:
    async with asyncio.timeout(deadline_s):
        reader, writer = await _connect(address)
        try:
            writer.write(text.encode() + b"\n")
            return (await reader.read()).decode("utf-8", "replace")
        finally:
            writer.close()


async def _is_master(address: str, deadline_s: float) -> bool:
    # Only the master has this command; it keeps the connection open, so it must be told to quit.
    try:
        return (await _ask(address, "show proc\nquit", deadline_s)).startswith(_PROCESSES)
    except (OSError, TimeoutError):
        return False


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    # The limit must fit the whole answer of a large fleet.
    if address.startswith("/"):
        return await asyncio.open_unix_connection(address, limit=1 << 24)
    host, _, port = address.rpartition(":")
    if not port.isdigit() or int(port) > _HIGHEST_PORT:
        raise HaproxyError(f"{address!r} is neither the path of a UNIX socket nor 'host:port'")
    return await asyncio.open_connection(host or "127.0.0.1", int(port), limit=1 << 24)
