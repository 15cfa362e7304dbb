"""The socket of a connection, which can be cut at once and for good."""

import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import Any  # paho's user data is untyped

from paho.mqtt.client import Client


@dataclass
class Transport:
    """The socket of a client. Once cut, it sends nothing, even if paho opens it only afterwards.

    It holds no reference to the client, so that a dropped one is freed at once with its sockets.
    """

    _socket: socket.socket | None = None
    _is_cut: bool = False

    def opened(self, _client: Client, _data: Any, opened: Any) -> None:
        """Remember the socket; called on the connecting thread."""
        # Events and states are small packets in a row: the second must not wait for an ACK.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = opened
        if self._is_cut:
            self._shut(opened)

    def cut(self) -> None:
        """Shut the socket without a DISCONNECT, so that the broker sends the will."""
        self._is_cut = True
        if self._socket is not None:
            self._shut(self._socket)

    @staticmethod
    def _shut(opened: socket.socket) -> None:
        with contextlib.suppress(OSError):
            # On close the kernel discards unsent data instead of trying for minutes.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # Below TLS, whose state belongs to paho's thread.
            socket.socket.shutdown(opened, socket.SHUT_RDWR)
