"""Asking a receiver that runs elsewhere what has arrived: for the doctor beside a running server.

The question is one datagram to the receiver's own address, the answer one back.
"""

import asyncio
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any  # each kind of socket has addresses of its own

from pydantic import TypeAdapter

from bigred_server.errors import HaproxyError

QUESTION = b"bigred-arrived?"
_LENGTH = 16_384


@dataclass(frozen=True)
class Arrived:
    """What came since a receiver began to listen.

    `lines`: by HAProxy's backend, of those that are wanted. `foreign`: those that are not ours,
    `unwanted`: those of other backends.
    """

    lines: Mapping[str, int] = field(default_factory=dict)
    foreign: int = 0
    unwanted: int = 0


_READER = TypeAdapter(Arrived)


def place(address: str) -> tuple[socket.AddressFamily, Any]:
    """Give an address ("host:port" for UDP, or a path) as the socket module wants it.

    Raises OSError and ValueError for one that is none.
    """
    if address.startswith("/"):
        return socket.AF_UNIX, address
    host, _, port = address.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
    return found[0][0], found[0][4]


def answer(arrived: Arrived) -> bytes:
    """Write the answer to the question."""
    return _READER.dump_json(arrived)


async def inquire(address: str, deadline_s: float) -> Arrived:
    """Ask the receiver at an address. Raises HaproxyError when nobody answers as one."""
    with tempfile.TemporaryDirectory(prefix="bigred-") as folder:
        try:
            async with asyncio.timeout(deadline_s):
                return _READER.validate_json(await _asked(address, Path(folder) / "answer.sock"))
        except (OSError, ValueError, TimeoutError) as error:
            raise HaproxyError(
                f"what listens at {address} does not tell what arrived: "
                f"{type(error).__name__} {error}".rstrip()
            ) from error


async def _asked(address: str, ours: Path) -> bytes:
    loop = asyncio.get_running_loop()
    family, at = place(address)
    with socket.socket(family, socket.SOCK_DGRAM) as line:
        line.setblocking(False)
        if address.startswith("/"):
            _bind(line, ours)
        await loop.sock_connect(line, at)
        await loop.sock_sendall(line, QUESTION)
        return await loop.sock_recv(line, _LENGTH)


def _bind(line: socket.socket, ours: Path) -> None:
    """Have an address that can be answered to, by a server that is another user as well."""
    line.bind(str(ours))
    ours.parent.chmod(0o711)
    ours.chmod(0o666)
