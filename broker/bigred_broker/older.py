"""Asks a broker whether it speaks an older MQTT: some end a connection with MQTT 5 in silence."""

import asyncio
import contextlib
import ssl

from bigred_broker.settings import BrokerSettings

_DEADLINE_S = 3.0
_CONNECT, _CONNACK = 0x10, 0x20
_CLEAN = 0x02
_VERSION = b"\x00\x04MQTT\x04"  # 3.1.1
_KEEPALIVE = b"\x00\x0f"
_CLIENT = b"\x00\x00"  # the broker makes one up


async def accepts_older(broker: BrokerSettings) -> bool:
    """Return whether the broker answers a CONNECT of MQTT 3.1.1, accepted or not."""
    packet = _VERSION + bytes([_CLEAN]) + _KEEPALIVE + _CLIENT
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        async with asyncio.timeout(_DEADLINE_S):
            reader, writer = await asyncio.open_connection(
                broker.host, broker.port, ssl=_context(broker)
            )
            try:
                writer.write(bytes([_CONNECT, len(packet)]) + packet)
                answer = await reader.readexactly(4)
            finally:
                writer.close()
            return answer[:2] == bytes([_CONNACK, 2]) and answer[3] != 1
    return False


def _context(broker: BrokerSettings) -> ssl.SSLContext | None:
    if broker.tls is None:
        return None
    context = ssl.create_default_context(cafile=str(broker.tls.ca))
    if broker.tls.certificate is not None:
        context.load_cert_chain(broker.tls.certificate, broker.tls.key)
    return context
