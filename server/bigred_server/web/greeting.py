"""A connection to the HTTP API until TLS is agreed on: it has a place and a deadline, too.

asyncio would shake hands by itself, but tell nobody of a connection before it has: clients that
never finish would occupy files that no limit counts.
"""

import asyncio
import ssl

from bigred_server.web.connections import Connections

HANDSHAKE_S = 10.0


class Greeting(asyncio.Protocol):
    """A new connection, which becomes that of `protocol` with TLS in between."""

    def __init__(
        self, others: Connections, context: ssl.SSLContext, protocol: asyncio.Protocol
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._others = others
        self._context = context
        self._protocol = protocol
        self._transport: asyncio.Transport | None = None
        self._shaking: asyncio.Task[None] | None = None
        self.address = ""
        self.since_s = self._loop.time()
        self.is_answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place among the others, and shake hands."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # a TCP socket's
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        if self._others.add(self):
            self._shaking = self._loop.create_task(self._shake_hands(transport))
        else:
            transport.abort()

    def make_way(self) -> None:
        """Close the connection in favour of another one."""
        if self._transport is not None:
            self._transport.abort()

    async def _shake_hands(self, transport: asyncio.Transport) -> None:
        early = _Early()
        try:
            made = await self._loop.start_tls(
                transport,
                early,
                self._context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_S,
            )
        except OSError:
            # No TLS, an old version, or a client that went away: nobody is left to be told.
            transport.abort()
            made = None
        finally:
            self._others.remove(self)
        if made is not None:
            early.hand_over(made, self._protocol)


class _Early(asyncio.Protocol):
    """Keeps what comes right after the handshake for the protocol that follows."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._is_lost = False

    def data_received(self, data: bytes) -> None:
        """Keep it."""
        self._received += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Remember it."""
        self._is_lost = True

    def hand_over(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        """Let a protocol have the connection, as if it had been there from the beginning."""
        if self._is_lost:
            return
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._received:
            protocol.data_received(bytes(self._received))
