"""The MQTT gateway at a real Mosquitto, before and after another server has led the app."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.news import News

from bigred_broker import mosquitto
from bigred_broker.connection import Delivery
from bigred_broker.link import Link
from bigred_broker.messages import (
    AppEvent,
    AppEventType,
    AppState,
    BoxEvent,
    BoxInfo,
    EventType,
    Reply,
    Status,
    decode,
    encode,
)
from bigred_broker.program import free_port
from bigred_broker.settings import BrokerSettings
from bigred_broker.topics import Topics
from bigred_server.journal.connection import AsyncConnection
from bigred_server.mqtt_gateway.gateway import MqttGateway
from bigred_server.settings import BoxSettings, Settings, load

DEADLINE_S = 20.0
TOPICS = Topics()
STATE = TOPICS.app("shop", "state")
CHANGES = TOPICS.app("shop", "changes")
EVENT = TOPICS.app("shop", "event")
CONFIG = "homeassistant/device/office/config"


@dataclass
class Lead:
    """A leadership that the test grants and revokes."""

    token: int = 1
    leads: bool = True

    def left_s(self) -> float:
        return math.inf if self.leads else 0.0

    async def hold(self) -> bool:
        return self.leads

    async def fence(self, db: AsyncConnection) -> None: ...

    def guard(self) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext()


@dataclass
class Presses:
    """Answers nothing, and records the events."""

    asked: list[str] = field(default_factory=list)

    async def answer(self, _box: str, event: BoxEvent) -> Reply | None:
        self.asked.append(event.id)
        return None


@dataclass
class Rig:
    """A broker that forgets everything when it restarts, a gateway, and a listener."""

    folder: Path
    broker: BrokerSettings
    lead: Lead
    presses: Presses
    gateway: MqttGateway
    listener: Link
    stack: ExitStack = field(default_factory=ExitStack)
    received: list[tuple[str, bytes]] = field(default_factory=list)
    news: News = field(default_factory=lambda: News(DEADLINE_S))

    def start_broker(self) -> None:
        self.stack.enter_context(mosquitto.running(self.folder / "mqtt", self.broker.port))

    async def listen(self) -> None:
        while True:
            happening = await self.listener.events.get()
            if isinstance(happening, Delivery):
                happening.ack()
                self.received.append((happening.topic, happening.payload))
            self.news.notify()

    async def settled(self) -> None:
        """Wait until the gateway has handled everything sent: it answers a false farewell."""
        seen = self.count(TOPICS.server_status, b"online")
        self.listener.publish(TOPICS.server_status, Status.OFFLINE.value.encode())
        await self.news.until(
            lambda: self.count(TOPICS.server_status, b"online") > seen, "it says it is online"
        )

    def count(self, topic: str, payload: bytes | None = None) -> int:
        return sum(where == topic and payload in (None, what) for where, what in self.received)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    broker = BrokerSettings(port=free_port())
    lead, presses = Lead(), Presses()
    settings = settings_with(broker)
    topics = [TOPICS.server_status, TOPICS.every_app, CONFIG]
    listener = Link(broker, "listener", "bigred/test/status", topics)
    gateway = MqttGateway(settings, {"shop": lead}, "run-1")
    rig = Rig(tmp_path, broker, lead, presses, gateway, listener)
    rig.start_broker()
    running = [
        asyncio.create_task(gateway.run(presses)),  # type: ignore[arg-type]
        asyncio.create_task(listener.run()),
        asyncio.create_task(rig.listen()),
    ]
    await rig.news.until(lambda: rig.count(TOPICS.server_status, b"online") > 0, "all are there")
    yield rig
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    rig.stack.close()


def settings_with(broker: BrokerSettings) -> Settings:
    example = Path(__file__).parents[2] / "server" / "bigred_server" / "example.toml"
    given = load(example)
    boxes = {"office": BoxSettings(app="shop")}
    return given.model_copy(update={"broker": broker, "boxes": boxes})


def lid(number: str) -> bytes:
    return encode(BoxEvent(event_type=EventType.LID_OPEN, id=number, seq=1, boot="test"))


async def test_only_the_leader_publishes_and_answers(rig: Rig) -> None:
    event = AppEvent(event_type=AppEventType.FINDING, app="shop", at="now")
    topic = TOPICS.box("office", "event")
    rig.listener.publish(TOPICS.box("office", "info"), encode(BoxInfo(agent="test")))
    await rig.news.until(lambda: rig.count(CONFIG) == 1, "the box is announced")
    await rig.settled()
    rig.lead.leads = False
    rig.listener.publish(topic, lid("unheard"))
    rig.listener.publish("homeassistant/status", b"online")
    rig.gateway.keep_state(AppState(app="shop"))
    rig.gateway.publish_event(event)
    await rig.settled()
    assert rig.presses.asked == []
    assert [rig.count(each) for each in (STATE, EVENT, CONFIG)] == [0, 0, 1]
    rig.lead.leads = True
    rig.listener.publish(topic, lid("received"))
    rig.listener.publish("homeassistant/status", b"online")
    rig.gateway.keep_state(AppState(app="shop"))
    rig.gateway.publish_event(event)
    await rig.settled()
    assert rig.presses.asked == ["received"]
    assert rig.count(EVENT) == 1
    # Home Assistant has just started: everything that is retained comes again.
    await rig.news.until(lambda: min(map(rig.count, (STATE, CONFIG))) >= 2, "all comes again")


async def test_what_was_published_before_another_led_is_not_published_again(rig: Rig) -> None:
    """Neither on a new connection, nor skipped as already published when it recurs."""
    rig.listener.publish(TOPICS.box("office", "info"), encode(BoxInfo(agent="test")))
    await rig.news.until(lambda: rig.count(CONFIG) == 1, "the box is announced")
    rig.gateway.keep_state(AppState(app="shop"))
    await rig.settled()
    assert (rig.count(STATE), rig.count(CONFIG)) == (1, 1)
    rig.lead.leads = False
    rig.stack.close()
    seen = rig.count(TOPICS.server_status, b"online")
    await asyncio.to_thread(rig.start_broker)
    await rig.news.until(lambda: rig.count(TOPICS.server_status, b"online") > seen, "both are back")
    await rig.settled()
    assert (rig.count(STATE), rig.count(CONFIG)) == (1, 1)
    rig.lead.leads = True
    rig.lead.token = 3
    rig.gateway.keep_state(AppState(app="shop"))
    await rig.news.until(lambda: rig.count(STATE) == 2, "the same state is published anew")
    await rig.news.until(lambda: rig.count(CONFIG) == 2, "and so is the box")


async def test_the_leader_publishes_everything_again_on_a_new_connection(rig: Rig) -> None:
    rig.gateway.keep_state(AppState(app="shop"))
    await rig.news.until(lambda: rig.count(STATE) == 1, "the state is published")
    rig.stack.close()
    await asyncio.to_thread(rig.start_broker)
    await rig.news.until(lambda: rig.count(STATE) == 2, "it is published again")


@pytest.mark.parametrize("forged", [b"", b"offline", b"{}"])
@pytest.mark.parametrize("topic", [STATE, CHANGES, CONFIG, TOPICS.server_status])
async def test_what_others_overwrite_comes_again_and_is_reported(
    rig: Rig, topic: str, forged: bytes
) -> None:
    rig.listener.publish(TOPICS.box("office", "info"), encode(BoxInfo(agent="test")))
    rig.gateway.keep_state(AppState(app="shop"))
    for kept in (CONFIG, STATE, CHANGES):
        await rig.news.until(lambda kept=kept: rig.count(kept) == 1, "all is retained")  # type: ignore[misc]
    truth = next(what for where, what in rig.received if where == topic)
    for _ in range(2):
        rig.listener.publish(topic, forged)
    await rig.news.until(lambda: rig.count(topic, forged) == 2, "it is overwritten")
    overwritten_s = time.monotonic()
    await rig.news.until(lambda: rig.count(topic, truth) == 2, "the truth comes again")
    assert time.monotonic() - overwritten_s < 1.0
    await rig.news.until(lambda: rig.count(EVENT) == 1, "it is reported")
    [event] = [decode(AppEvent, what) for where, what in rig.received if where == EVENT]
    assert event.event_type is AppEventType.FINDING
    assert f"others published on {topic} (2 times)" in event.text


async def test_another_server_that_ends_is_no_finding(rig: Rig) -> None:
    await rig.settled()
    assert rig.count(EVENT) == 0


async def test_a_leader_that_has_not_published_yet_defends_no_state_of_its_earlier_lead(
    rig: Rig,
) -> None:
    rig.gateway.keep_state(AppState(app="shop"))
    await rig.news.until(lambda: rig.count(STATE) == 1, "the state is published")
    rig.lead.token = 3
    newer = encode(AppState(app="shop", reason="of the leader between"))
    rig.listener.publish(STATE, newer)
    rig.listener.publish(TOPICS.server_get, b"")
    await rig.settled()
    assert (rig.count(STATE), rig.count(STATE, newer)) == (2, 1)
