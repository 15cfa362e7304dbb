"""A server learns what all boxes are at a broker whose queue holds a few of their messages."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.until import until

from bigred_broker import mosquitto
from bigred_broker.connection import Connection, Delivery
from bigred_broker.messages import BoxInfo, encode
from bigred_broker.program import free_port
from bigred_broker.settings import BrokerSettings
from bigred_broker.topics import Topics
from bigred_server.journal.sqlite_leadership import SqliteLeadership
from bigred_server.mqtt_gateway import census
from bigred_server.mqtt_gateway.gateway import MqttGateway
from bigred_server.settings import BoxSettings, load

DEADLINE_S = 20.0
TOPICS = Topics()
BOXES = [f"box-{number}" for number in range(300)]
QUEUED, IN_FLIGHT = 20, 20


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerSettings]:
    settings = BrokerSettings(port=free_port())
    text = mosquitto.configuration(settings)
    text = text.replace("max_queued_messages 1000", f"max_queued_messages {QUEUED}")
    text = text.replace("max_inflight_messages 1000", f"max_inflight_messages {IN_FLIGHT}")
    with mosquitto.started(tmp_path / "mqtt", text, settings.port):
        yield settings


@contextlib.asynccontextmanager
async def connected(broker: BrokerSettings, name: str) -> AsyncIterator[Connection]:
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
    connection = Connection(broker, name, f"test/{name}", 0, deliveries)
    await connection.open(DEADLINE_S)
    try:
        yield connection
    finally:
        await connection.close(DEADLINE_S)
        connection.drop()


@contextlib.asynccontextmanager
async def gateway(broker: BrokerSettings) -> AsyncIterator[MqttGateway]:
    example = Path(__file__).parents[2] / "server" / "bigred_server" / "example.toml"
    boxes = {name: BoxSettings(app="shop") for name in BOXES}
    settings = load(example).model_copy(update={"broker": broker, "boxes": boxes})
    made = MqttGateway(settings, {name: SqliteLeadership() for name in settings.apps}, "run-1")
    running = asyncio.create_task(made.run(None))  # type: ignore[arg-type]
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.wait([running])


async def describe(connection: Connection, boxes: list[str]) -> None:
    """Publish what some boxes are, as fast as the broker takes it."""
    for box in boxes:
        await connection.room()
        info = encode(BoxInfo(agent="test"))
        connection.publish(TOPICS.box(box, "info"), info, retain=True)


async def announced(broker: BrokerSettings) -> int:
    """Return how many boxes are announced to Home Assistant on the broker."""
    found: asyncio.Queue[Delivery] = asyncio.Queue()
    connection = Connection(broker, "counter", "test/counter", 0, found)
    await connection.open(DEADLINE_S)
    for start in range(0, len(BOXES), QUEUED):
        topics = [f"homeassistant/device/{box}/config" for box in BOXES[start : start + QUEUED]]
        await connection.fetch(topics, DEADLINE_S)
        assert await connection.answers(DEADLINE_S)
    await connection.close(DEADLINE_S)
    connection.drop()
    return found.qsize()


async def test_a_server_that_starts_learns_what_every_box_is(broker: BrokerSettings) -> None:
    async with connected(broker, "boxes") as boxes:
        await describe(boxes, BOXES)
    async with gateway(broker):

        async def all_are_announced() -> None:
            while await announced(broker) < len(BOXES):
                pass

        await asyncio.wait_for(all_are_announced(), DEADLINE_S)


async def test_boxes_that_a_busy_broker_dropped_are_asked_for_later(
    broker: BrokerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census, "_AGAIN_S", (1.0, 2.0))
    async with gateway(broker) as server, connected(broker, "boxes") as boxes:
        await until(lambda: server._link.is_up, DEADLINE_S, "the server is connected")
        with monkeypatch.context() as dropping:
            # Nothing of it reaches the server, as if its queue was full.
            dropping.setattr(server, "_receive", lambda delivery, _inbox: delivery.ack())
            await describe(boxes, BOXES[:50])
            assert await boxes.answers(DEADLINE_S)
            await until(lambda: server._link.events.empty(), DEADLINE_S, "it is received")
        await until(lambda: len(server._owned.infos) == 50, DEADLINE_S, "they are known")
