"""Examines a broker for the doctors of box and server: whether it can do what Bigred needs.

It needs MQTT 5, retained messages and message expiry, and a user who may publish. Nothing but a
message that is removed at once is left on the broker.
"""

import asyncio
import uuid
from dataclasses import dataclass

from bigred_broker.connection import Connection, Delivery, RefusedError
from bigred_broker.older import accepts_older
from bigred_broker.settings import BrokerSettings

DEADLINE_S = 5.0
_WAIT_S = 1.0
_EXPIRY_S = 60
_TLS_PORT = 8883
_UNSUPPORTED, _NO_RETAIN = 0x84, 0x9A
_LOGIN = frozenset({0x86, 0x87, 0x8C})  # bad user name or password, not authorized, bad method

NO_MQTT5 = "does not speak MQTT 5"
NEEDS_MQTT5 = "use a broker with MQTT 5, such as Mosquitto from 1.6 or RabbitMQ from 3.13"
NO_RETAIN = "keeps no retained messages"
NEEDS_RETAIN = "allow them there (Mosquitto: retain_available true), or use another broker"
NO_EXPIRY = "forgets when messages expire"
NEEDS_EXPIRY = "use a broker with message expiry; else what comes late is only refused on arrival"
LOGIN = "set username and password in [broker] as the broker knows them"
PERMISSION = "allow this user in the broker to publish and to read below {prefix}/"
ADDRESS = "start the broker at {address}, or correct [broker] host and port"
TLS = "the port is usually one for TLS: set `ca` in [broker.tls], or another port"


@dataclass(frozen=True)
class BrokerFault:
    """What the broker does, and the fix; `serious`: Bigred can't work with this broker at all."""

    seen: str
    fix: str
    serious: bool = True


async def examine(broker: BrokerSettings, topic: str) -> list[BrokerFault]:
    """List what is wrong with a broker; `topic` is one that its user may publish to and read."""
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
    name = f"doctor-{uuid.uuid4().hex[:12]}"
    connection = Connection(broker, name, topic, 0, deliveries)
    try:
        await connection.open(DEADLINE_S)
        faults = await _abilities(connection, topic, deliveries, broker.prefix)
        await connection.close(DEADLINE_S)
    except OSError as error:
        return [await fault_of(broker, error)]
    finally:
        connection.drop()
    return faults


async def fault_of(broker: BrokerSettings, error: OSError) -> BrokerFault:
    """Return what an error of a connection means, with its fix."""
    code = error.code if isinstance(error, RefusedError) else None
    if code is None and type(error) is ConnectionError and await accepts_older(broker):
        code = _UNSUPPORTED
    if code == _UNSUPPORTED:
        return BrokerFault(NO_MQTT5, NEEDS_MQTT5)
    if code == _NO_RETAIN:
        return BrokerFault(NO_RETAIN, NEEDS_RETAIN)
    seen = f"can't be used: {error}"
    if code in _LOGIN:
        return BrokerFault(seen, LOGIN)
    if "Not authorized" in str(error):
        return BrokerFault(seen, PERMISSION.format(prefix=broker.prefix))
    if broker.port == _TLS_PORT and broker.tls is None:
        return BrokerFault(seen, TLS)
    return BrokerFault(seen, ADDRESS.format(address=f"{broker.host}:{broker.port}"))


async def _abilities(
    connection: Connection, topic: str, deliveries: "asyncio.Queue[Delivery]", prefix: str
) -> list[BrokerFault]:
    """Publish a retained message that expires, and read it again; then remove it."""
    connection.publish(topic, b"doctor", retain=True, expiry_s=_EXPIRY_S)
    await connection.answers(DEADLINE_S)
    if connection.denied:
        seen = f"refuses what is published to {topic}: {connection.denied}"
        return [BrokerFault(seen, PERMISSION.format(prefix=prefix))]
    try:
        await connection.subscribe([topic], DEADLINE_S)
        try:
            found = await asyncio.wait_for(deliveries.get(), _WAIT_S)
        except TimeoutError:
            return [BrokerFault(NO_RETAIN, NEEDS_RETAIN)]
        found.ack()
    finally:
        connection.publish(topic, b"", retain=True)
    if found.expiry_s is None:
        return [BrokerFault(NO_EXPIRY, NEEDS_EXPIRY, serious=False)]
    return []
