"""The line under a connection: its socket, which can be cut at once and for good."""

import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import Any  # paho's user data is untyped

from paho.mqtt.client import Client


@dataclass
class Line:
    """The socket under a client. Once cut nothing leaves by it, even if paho opens it only then.

    It knows no client: a dropped one is freed at once, with its sockets, and not by the collector.
    """

    _socket: socket.socket | None = None
    _is_cut: bool = False

    def opened(self, _client: Client, _data: Any, opened: Any) -> None:
        """Take note of the socket; called on the thread that connects."""
        # Two small packets in a row, an event and a state: the second must not wait for an ACK.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = opened
        if self._is_cut:
            self._shut(opened)

    def cut(self) -> None:
        """Shut the socket without a farewell: the broker sends the will."""
        self._is_cut = True
        if self._socket is not None:
            self._shut(self._socket)

    @staticmethod
    def _shut(opened: socket.socket) -> None:
        with contextlib.suppress(OSError):
            # On close the kernel forgets what it could not send yet, instead of trying for minutes.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # Below TLS, whose state belongs to paho's thread.
            socket.socket.shutdown(opened, socket.SHUT_RDWR)
