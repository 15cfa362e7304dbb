"""Tells systemd that the box is up: sd_notify(3), a datagram to the socket that it names."""

import contextlib
import os
import socket

_VARIABLE = "NOTIFY_SOCKET"


def tell_ready() -> None:
    """Say that the start is over; nothing happens where no systemd asked to be told."""
    address = os.environ.get(_VARIABLE, "")
    if not address:
        return
    # A leading @ stands for the zero byte of an abstract socket.
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as talk,
    ):
        talk.sendto(b"READY=1", address.replace("@", "\0", 1) if address[0] == "@" else address)
