"""Checks the broker and the server, without disturbing a running agent."""

import asyncio
import uuid

from bigred_agent.doctor.finding import Finding
from bigred_broker.connection import Connection, Delivery
from bigred_broker.examination import examine, fault_of
from bigred_broker.messages import MessageError, Status, decode_status
from bigred_broker.settings import BrokerSettings
from bigred_broker.topics import Topics

_BROKER = "broker"
_SERVER = "server"
DEADLINE_S = 5.0
STATUS_DEADLINE_S = 3.0

START_SERVER = "start the deploy server, or check host, port and prefix in its [broker] section"


async def network(broker: BrokerSettings, box: str) -> list[Finding]:
    """Examine the broker as this box would use it, and read the server's retained status."""
    address = f"{broker.host}:{broker.port}"
    topics = Topics(broker.prefix)
    faults = await examine(broker, topics.box(box, "doctor"))
    findings = [Finding(_BROKER, f"{address} {one.seen}", one.fix) for one in faults]
    if any(one.serious for one in faults):
        return findings
    name = f"doctor-{uuid.uuid4().hex[:12]}"
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
    connection = Connection(broker, name, topics.box(box, "doctor"), 0, deliveries)
    try:
        await connection.open(DEADLINE_S)
        await connection.subscribe([topics.server_status], DEADLINE_S)
        server = await _server(deliveries)
        await connection.close(STATUS_DEADLINE_S)
    except OSError as error:
        fault = await fault_of(broker, error)
        return [Finding(_BROKER, f"{address} {fault.seen}", fault.fix)]
    finally:
        connection.drop()
    return [*(findings or [Finding(_BROKER, f"{address} answers")]), server]


async def _server(deliveries: "asyncio.Queue[Delivery]") -> Finding:
    try:
        delivery = await asyncio.wait_for(deliveries.get(), STATUS_DEADLINE_S)
        status = decode_status(delivery.payload)
    except TimeoutError:
        return Finding(_SERVER, "no server has ever used this broker", START_SERVER)
    except MessageError as error:
        return Finding(_SERVER, f"its status is malformed: {error}", START_SERVER)
    if status is Status.ONLINE:
        return Finding(_SERVER, "online")
    return Finding(_SERVER, "offline", START_SERVER)
