"""RabbitMQ 4 instead of Mosquitto: a restarted box and a restarted server know everything again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.debian_root import make_root
from tests.support.mqtt_recorder import mqtt_recorder
from tests.support.rabbitmq import rabbitmq
from tests.support.until import until

from bigred_agent.doctor import network
from bigred_broker.connection import Connection, Delivery
from bigred_broker.link import Link
from bigred_broker.messages import AppChanges, AppState, Phase, ReleaseNote, decode
from bigred_broker.settings import BrokerSettings
from bigred_broker.topics import Topics
from bigred_server.demo.config import BOX
from bigred_server.demo.demo_site import set_up
from bigred_server.doctor import broker as server_doctor
from bigred_server.doctor.finding import Severity
from bigred_server.journal.sqlite_leadership import SqliteLeadership
from bigred_server.mqtt_gateway.gateway import MqttGateway
from bigred_server.settings import load

pytestmark = pytest.mark.timeout(1200)

DEADLINE_S = 30.0
LIVE_S = 120.0
BUILD = Path(__file__).parents[3] / "build" / "rabbitmq"
TOPICS = Topics()
STATE, CHANGES = TOPICS.app("shop", "state"), TOPICS.app("shop", "changes")
NOTE = ReleaseNote(digest="0" * 64, version="1.1.0", changed=3, authors=("Ada",))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerSettings]:
    log = tmp_path_factory.mktemp("rabbitmq") / "rabbitmq.log"
    with rabbitmq(make_root(BUILD, "rabbitmq-server"), log) as settings:
        yield settings


@contextlib.asynccontextmanager
async def server(broker: BrokerSettings) -> AsyncIterator[None]:
    """A server with a candidate."""
    example = Path(__file__).parents[3] / "server" / "bigred_server" / "example.toml"
    settings = load(example).model_copy(update={"broker": broker})
    gateway = MqttGateway(settings, {name: SqliteLeadership() for name in settings.apps}, "run-1")
    gateway.keep_state(AppState(app="shop", phase=Phase.SUCCEEDED, candidate=NOTE))
    running = asyncio.create_task(gateway.run(None))  # type: ignore[arg-type]
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def switched_on(broker: BrokerSettings) -> dict[str, bytes]:
    """Switch a box on until it knows the app, and off again; return what it received."""
    topics = [TOPICS.server_status, TOPICS.every_app]
    link = Link(broker, "office", TOPICS.box("office", "status"), topics)
    received: dict[str, bytes] = {}

    async def listen() -> None:
        while True:
            event = await link.events.get()
            if isinstance(event, Delivery):
                event.ack()
                received[event.topic] = event.payload

    tasks = [asyncio.create_task(link.run()), asyncio.create_task(listen())]
    try:
        await until(lambda: {STATE, CHANGES} <= set(received), DEADLINE_S, "the box knows the app")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return received


async def test_a_box_knows_the_app_again_whenever_it_is_switched_on(
    broker: BrokerSettings,
) -> None:
    async with server(broker):
        for _ in range(3):
            received = await switched_on(broker)
            assert decode(AppState, received[STATE]).candidate == NOTE
            assert decode(AppChanges, received[CHANGES]).changed == 3
    async with server(broker):
        assert STATE in await switched_on(broker)


def test_lid_and_push_make_a_release_live_and_a_restarted_box_knows_everything(
    broker: BrokerSettings,
) -> None:
    with set_up(2, lambda _text: None) as made:
        demo_site = replace(made, broker=broker)
        text = demo_site.config.read_text()
        assert f"port = {made.broker.port}\n" in text
        text = text.replace(f"port = {made.broker.port}\n", f"port = {broker.port}\n")
        demo_site.config.write_text(text)
        box, state = TOPICS.box(BOX, "state"), TOPICS.app("shop", "state")
        with mqtt_recorder(broker.port) as seen, demo_site.server():

            def lights() -> str:
                return str((seen.last(box) or {}).get("lights", {}).get("pattern", ""))

            def version(key: str) -> str:
                return str(((seen.last(state) or {}).get(key) or {}).get("version", ""))

            def submit(number: str) -> None:
                war = str(demo_site.build(number))
                assert demo_site.bigred("submit", war, "--version", number).returncode == 0

            with demo_site.box():
                seen.until(lambda: seen.last(box) is not None, DEADLINE_S, "the box is there")
                submit("1.1.0")
                seen.until(lambda: lights() == "candidate", DEADLINE_S, "the box has heard of it")
                demo_site.set_button("open")
                seen.until(lambda: lights() == "armed", DEADLINE_S, "the box is armed")
                demo_site.set_button("press")

                seen.until(lambda: version("live") == "1.1.0", LIVE_S, "the release is live")
            submit("1.2.0")
            seen.until(lambda: version("candidate") == "1.2.0", DEADLINE_S, "the next one is ready")
            begin = len(seen.of(box))

            def knows_the_app() -> bool:
                since = [one.body["lights"]["pattern"] for one in seen.of(box)[begin:]]
                return bool({"candidate", "succeeded"} & set(since))

            with demo_site.box():
                seen.until(knows_the_app, DEADLINE_S, "the restarted box knows the app")
                demo_site.set_button("close")
                demo_site.set_button("open")
                seen.until(lambda: lights() == "armed", DEADLINE_S, "it can be armed again")


async def test_it_sends_no_retained_messages_for_wildcards_and_answers_pings(
    broker: BrokerSettings,
) -> None:
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
    connection = Connection(broker, "guest", "bigred/guest/status", 0, deliveries)
    await connection.open(DEADLINE_S)
    connection.publish(STATE, b"x", retain=True)
    assert await connection.answers(DEADLINE_S)
    await connection.subscribe([TOPICS.every_app], DEADLINE_S)
    assert await connection.answers(DEADLINE_S)
    assert deliveries.empty()
    await connection.subscribe([STATE], DEADLINE_S)
    delivery = await asyncio.wait_for(deliveries.get(), DEADLINE_S)
    assert delivery.retained
    connection.drop()


async def test_both_doctors_are_content(broker: BrokerSettings) -> None:
    async with server(broker):
        await switched_on(broker)
        (found,) = await server_doctor.check(broker)
        assert found.level is Severity.OK
        assert [one.seen for one in await network.network(broker, "office") if not one.is_ok] == []
