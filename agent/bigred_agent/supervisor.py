"""Notifies systemd that the box is ready: sd_notify(3), a datagram to a socket it names."""

import contextlib
import os
import socket

_VARIABLE = "NOTIFY_SOCKET"


def notify_ready() -> None:
    """Report that the start is complete; does nothing unless systemd asked for it."""
    address = os.environ.get(_VARIABLE, "")
    if not address:
        return
    # A leading @ stands for the zero byte of an abstract socket.
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
    ):
        sender.sendto(b"READY=1", address.replace("@", "\0", 1) if address[0] == "@" else address)
