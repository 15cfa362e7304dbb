"""Brokers other than Mosquitto: what they lack does no harm, or the doctors say so."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.small_broker import PINGREQ, UNSUBSCRIBE, Habits, small_broker
from tests.support.until import until

from bigred_agent.build import make_box
from bigred_agent.buttons.simulated import SimulatedButton
from bigred_agent.doctor import network
from bigred_agent.settings import (
    AgentSettings,
    BoxSettings,
    ButtonSettings,
    LightsSettings,
    VoiceSettings,
)
from bigred_agent.voice.choice import EngineChoice
from bigred_broker import examination, mosquitto
from bigred_broker.connection import Connection, Delivery
from bigred_broker.link import Link
from bigred_broker.messages import (
    AppChanges,
    AppState,
    ChangeNote,
    Phase,
    ReleaseNote,
    Status,
    decode,
)
from bigred_broker.program import free_port
from bigred_broker.settings import BrokerSettings
from bigred_broker.topics import Topics
from bigred_server.doctor import broker as server_doctor
from bigred_server.doctor.finding import Severity
from bigred_server.journal.sqlite_leadership import SqliteLeadership
from bigred_server.mqtt_gateway.gateway import MqttGateway
from bigred_server.settings import load

DEADLINE_S = 20.0
TOPICS = Topics()
RABBITMQ = Habits(retained="exact", expiry=True)


@contextlib.asynccontextmanager
async def gateway(broker: BrokerSettings) -> AsyncIterator[MqttGateway]:
    example = Path(__file__).parents[2] / "server" / "bigred_server" / "example.toml"
    settings = load(example).model_copy(update={"broker": broker})
    made = MqttGateway(settings, {name: SqliteLeadership() for name in settings.apps}, "run-1")
    running = asyncio.create_task(made.run(None))  # type: ignore[arg-type]
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.wait([running])


@contextlib.asynccontextmanager
async def box(broker: BrokerSettings) -> AsyncIterator[dict[str, bytes]]:
    """A box that has just been switched on; yields the last message of each topic."""
    topics = [TOPICS.server_status, TOPICS.every_app_state, TOPICS.app("shop", "changes")]
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
        yield received
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def state(changes: int = 0) -> AppState:
    notes = tuple(
        ChangeNote(commit="c" * 40, author="A" * 80, message="m" * 80) for _ in range(changes)
    )
    note = ReleaseNote(
        digest="0" * 64, version="1.1.0", message="m" * 500, changes=notes, changed=changes
    )
    return AppState(app="shop", phase=Phase.PREPARING, candidate=note, live=note, release=note)


async def test_a_restarted_box_learns_the_state_without_retained_messages_for_wildcards() -> None:
    async with small_broker(RABBITMQ) as (fake, broker), gateway(broker) as server:
        server.keep_state(state())
        await until(lambda: TOPICS.app("shop", "state") in fake.retained, DEADLINE_S, "the state")
        for _ in range(2):
            async with box(broker) as received:
                await until(
                    lambda: TOPICS.app("shop", "state") in received, DEADLINE_S, "the box knows"
                )
            assert decode(AppState, received[TOPICS.app("shop", "state")]).candidate


async def test_a_restarted_server_learns_what_the_boxes_are() -> None:
    async with small_broker(RABBITMQ) as (fake, broker):
        settings = AgentSettings(
            box=BoxSettings(name="office"),
            broker=broker,
            button=ButtonSettings(kind="simulated"),
            lights=LightsSettings(enabled=False),
            voice=VoiceSettings(engine=EngineChoice.NONE),
        )
        running = asyncio.create_task(make_box(settings, SimulatedButton()).run())
        topics = [TOPICS.box("office", "info"), TOPICS.box("office", "state")]
        await until(lambda: set(topics) <= set(fake.retained), DEADLINE_S, "the box is there")
        for topic in topics:
            del fake.retained[topic]
        async with gateway(broker):
            await until(lambda: set(topics) <= set(fake.retained), DEADLINE_S, "it comes again")
        running.cancel()
        await asyncio.wait([running])


async def test_anybody_can_ask_for_the_state() -> None:
    async with small_broker(RABBITMQ) as (fake, broker), gateway(broker) as server:
        server.keep_state(state())
        await until(lambda: TOPICS.app("shop", "state") in fake.retained, DEADLINE_S, "the state")
        deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        guest = Connection(broker, "guest", "bigred/guest/status", 0, deliveries)
        await guest.open(DEADLINE_S)
        await guest.subscribe([TOPICS.every_app], DEADLINE_S)
        guest.publish(TOPICS.server_get, b"")
        got = {(await asyncio.wait_for(deliveries.get(), DEADLINE_S)).topic for _ in range(2)}
        assert got == {TOPICS.app("shop", "state"), TOPICS.app("shop", "changes")}
        guest.drop()


async def test_the_list_of_changes_is_in_a_message_of_its_own_and_the_state_is_small() -> None:
    async with small_broker(Habits()) as (_, broker), gateway(broker) as server:
        server.keep_state(state(changes=10))
        async with box(broker) as received:
            await until(
                lambda: len(received) == 3, DEADLINE_S, "everything is there", received.keys
            )
        assert len(received[TOPICS.app("shop", "state")]) < 2048
        listed = decode(AppChanges, received[TOPICS.app("shop", "changes")])
        assert (len(listed.changes), listed.changed, listed.digest) == (10, 10, "0" * 64)
        shown = decode(AppState, received[TOPICS.app("shop", "state")]).candidate
        assert shown is not None
        assert (shown.changes, shown.changed) == ((), 10)


async def test_the_heartbeat_needs_no_answer_to_an_unsubscribe() -> None:
    async with small_broker(Habits()) as (fake, broker):
        link = Link(broker, "x", "bigred/x/status", [], heartbeat_s=0.05)
        running = asyncio.create_task(link.run())
        await until(lambda: fake.seen.count(PINGREQ) > 3, DEADLINE_S, "heartbeats")
        assert link.is_up
        assert UNSUBSCRIBE not in fake.seen
        running.cancel()
        await asyncio.wait([running])


CASES: list[tuple[Habits, str, str, bool]] = [
    (Habits(newest=4), examination.NO_MQTT5, examination.NEEDS_MQTT5, True),
    (Habits(newest=4, silent=True), examination.NO_MQTT5, examination.NEEDS_MQTT5, True),
    (Habits(retained="none"), examination.NO_RETAIN, examination.NEEDS_RETAIN, True),
    (Habits(retained="never"), examination.NO_RETAIN, examination.NEEDS_RETAIN, True),
    (Habits(expiry=False), examination.NO_EXPIRY, examination.NEEDS_EXPIRY, False),
    (Habits(code=0x87), "Not authorized", examination.LOGIN, True),
    (Habits(code=0x86), "Bad user name or password", examination.LOGIN, True),
    (Habits(writable="other"), "Not authorized", "to publish and to read below bigred/", True),
]


@pytest.mark.parametrize(("habits", "seen", "fix", "serious"), CASES)
async def test_both_doctors_recognise_what_a_broker_lacks(
    habits: Habits, seen: str, fix: str, serious: bool
) -> None:
    async with small_broker(habits) as (fake, broker):
        (here,) = await server_doctor.check(broker)
        assert (here.level, seen in here.text, fix in here.fix) == (Severity.WARN, True, True)
        found = await network.network(broker, "office")
        assert seen in found[0].seen
        assert fix in found[0].fix
        assert len(found) == (1 if serious else 2)
        assert not [topic for topic in fake.retained if "doctor" in topic]


@pytest.mark.parametrize("habits", [Habits(), RABBITMQ])
async def test_a_broker_that_can_do_everything_is_fine(habits: Habits) -> None:
    async with small_broker(habits) as (fake, broker):
        fake.retained[TOPICS.server_status] = Status.ONLINE.value.encode(), b""
        (here,) = await server_doctor.check(broker)
        assert here.level is Severity.OK
        assert all(one.is_ok for one in await network.network(broker, "office"))
        assert list(fake.retained) == [TOPICS.server_status]


async def test_a_broker_that_is_not_there_or_wants_tls_is_reported_with_its_fix() -> None:
    (finding,) = await server_doctor.check(BrokerSettings(port=free_port()))
    assert "start the broker at 127.0.0.1:" in finding.fix
    fault = await examination.fault_of(BrokerSettings(port=8883), OSError("no answer"))
    assert "[broker.tls]" in fault.fix


@pytest.mark.parametrize(
    ("more", "seen"),
    [
        ("", ""),
        ("retain_available false\n", examination.NO_RETAIN),
        ("allow_anonymous false\n", "Not authorized"),
    ],
)
async def test_a_real_mosquitto_is_recognised(tmp_path: Path, more: str, seen: str) -> None:
    broker = BrokerSettings(port=free_port())
    text = mosquitto.configuration(broker)
    if "allow_anonymous" in more:
        text = text.replace("allow_anonymous true\n", "")
    with mosquitto.started(tmp_path, text + more, broker.port):
        faults = await examination.examine(broker, TOPICS.server_doctor)
        assert [seen in one.seen for one in faults] == ([True] if seen else [])
