"""Asks a log receiver in another process what has arrived: for `doctor` alongside a running server.

The question is one datagram to the receiver's own address; the answer is one datagram back.
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
    """The numbers of log lines that arrived since a receiver began to listen.

    `lines`: per HAProxy backend with a handler. `foreign`: not in our log format. `unwanted`: of
    other backends.
    """

    lines: Mapping[str, int] = field(default_factory=dict)
    foreign: int = 0
    unwanted: int = 0


_READER = TypeAdapter(Arrived)


def socket_address(address: str) -> tuple[socket.AddressFamily, Any]:
    """Convert "host:port" (UDP) or a path to the socket module's form of an address.

    Raise OSError or ValueError if it is not an address.
    """
    if address.startswith("/"):
        return socket.AF_UNIX, address
    host, _, port = address.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
    return found[0][0], found[0][4]


def answer(arrived: Arrived) -> bytes:
    """Return the answer to the question as JSON."""
    return _READER.dump_json(arrived)


async def inquire(address: str, deadline_s: float) -> Arrived:
    """Ask the receiver at an address. Raise HaproxyError if no receiver answers in time."""
    with tempfile.TemporaryDirectory(prefix="bigred-") as folder:
        try:
            async with asyncio.timeout(deadline_s):
                return _READER.validate_json(await _ask(address, Path(folder) / "answer.sock"))
        except (OSError, ValueError, TimeoutError) as error:
            raise HaproxyError(
                f"the receiver at {address} does not report what arrived: "
                f"{type(error).__name__} {error}".rstrip()
            ) from error


async def _ask(address: str, reply_path: Path) -> bytes:
    loop = asyncio.get_running_loop()
    family, at = socket_address(address)
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        if address.startswith("/"):
            _bind(sock, reply_path)
        await loop.sock_connect(sock, at)
        await loop.sock_sendall(sock, QUESTION)
        return await loop.sock_recv(sock, _LENGTH)


def _bind(sock: socket.socket, reply_path: Path) -> None:
    """Bind a reply address that a server running as another user can send to."""
    sock.bind(str(reply_path))
    reply_path.parent.chmod(0o711)
    reply_path.chmod(0o666)
