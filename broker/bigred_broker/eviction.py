"""Disconnects a client, by the one means that every broker has.

A client that connects under the name of another takes over its session: the broker disconnects the
other one (MQTT 5, 4.13: reason 0x8E).
"""

import asyncio
from typing import Any  # deliveries, of which there are none

import structlog

from bigred_broker.connection import Connection
from bigred_broker.settings import BrokerSettings
from bigred_broker.topics import Topics

log = structlog.get_logger(__name__)

_DEADLINE_S = 5.0


async def evict(broker: BrokerSettings, box: str) -> None:
    """Disconnect the client with the name of a box; log it if that is impossible. Never raises."""
    nothing: asyncio.Queue[Any] = asyncio.Queue()
    status = Topics(broker.prefix).box(box, "status")
    try:
        # A certificate that can't be read is an OSError as well.
        connection = Connection(broker, box, status, 0, nothing)
    except (OSError, ValueError) as error:
        _report(box, error)
        return
    try:
        await connection.open(_DEADLINE_S)
        await connection.close(_DEADLINE_S)
        log.warning("disconnected a box that sends too many messages", box=box)
    except OSError as error:
        _report(box, error)
    finally:
        connection.drop()


def _report(box: str, error: Exception) -> None:
    log.warning("can't disconnect a box that sends too many messages", box=box, reason=str(error))
