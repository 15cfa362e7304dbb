"""Others overwrite what box and server retain: at a real Mosquitto the truth soon stands again."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.small_broker import Habits, small_broker
from tests.support.until import until

from bigred_agent.wire import intake
from bigred_broker import mosquitto
from bigred_broker.connection import Connection, Delivery
from bigred_broker.link import Link
from bigred_broker.link_status import LinkUp
from bigred_broker.program import free_port
from bigred_broker.repetitions import IN_A_ROW
from bigred_broker.settings import BrokerSettings
from bigred_broker.topics import Topics

DEADLINE_S = 10.0
SOON_S = 2.0
BOX = "red"
TOPICS = Topics()
STATUS, INFO, STATE = (TOPICS.box(BOX, leaf) for leaf in ("status", "info", "state"))
TRUTH = {STATUS: b"online", INFO: b'{"v":1,"agent":"1"}', STATE: b'{"v":1,"lid":"open"}'}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerSettings]:
    with mosquitto.running(tmp_path / "mqtt", free_port()) as settings:
        yield settings


@dataclass
class Stranger:
    """A client of its own that follows everything, and publishes what it likes."""

    connection: Connection
    deliveries: asyncio.Queue[Delivery]
    received: list[tuple[float, str, bytes]] = field(default_factory=list)

    def look(self) -> None:
        while not self.deliveries.empty():
            delivery = self.deliveries.get_nowait()
            delivery.ack()
            self.received.append((time.monotonic(), delivery.topic, delivery.payload))

    def payloads(self, topic: str) -> list[bytes]:
        self.look()
        return [payload for _, where, payload in self.received if where == topic]

    def last(self, topic: str) -> bytes | None:
        found = self.payloads(topic)
        return found[-1] if found else None

    def forge(self, topic: str, payload: bytes, *, retain: bool = True) -> None:
        self.connection.publish(topic, payload, retain=retain)

    async def sees(self, topic: str, payload: bytes, deadline_s: float = DEADLINE_S) -> None:
        await until(lambda: self.last(topic) == payload, deadline_s, f"{topic} is {payload!r}")


@contextlib.asynccontextmanager
async def stranger(broker: BrokerSettings, will: str = "t/x") -> AsyncIterator[Stranger]:
    deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
    connection = Connection(broker, f"stranger{free_port()}", will, 0, deliveries)
    await connection.open(DEADLINE_S)
    await connection.subscribe(["#"], DEADLINE_S)
    try:
        yield Stranger(connection, deliveries)
    finally:
        connection.drop()


@dataclass
class Owner:
    """A link that keeps messages, and what it reports about them."""

    link: Link
    reports: list[tuple[str, int]] = field(default_factory=list)


@contextlib.asynccontextmanager
async def owner(
    broker: BrokerSettings,
    kept: Mapping[str, bytes],
    name: str = BOX,
    may_publish: Callable[[str], bool] = lambda _topic: True,
) -> AsyncIterator[Owner]:
    reports: list[tuple[str, int]] = []
    link = Link(
        broker,
        name,
        TOPICS.box(name, "status"),
        [TOPICS.box(name, "reply")],
        may_publish=may_publish,
        on_overwritten=lambda topic, count: reports.append((topic, count)),
    )
    for topic, payload in kept.items():
        link.keep(topic, payload)
    running = asyncio.create_task(link.run())
    try:
        await until(lambda: link.is_up, DEADLINE_S, "the link is up")
        yield Owner(link, reports)
    finally:
        running.cancel()
        await asyncio.wait([running], timeout=DEADLINE_S)


@contextlib.asynccontextmanager
async def box_and_stranger(broker: BrokerSettings) -> AsyncIterator[tuple[Owner, Stranger]]:
    kept = {topic: payload for topic, payload in TRUTH.items() if topic != STATUS}
    async with stranger(broker) as other, owner(broker, kept) as red:
        for topic, payload in TRUTH.items():
            await other.sees(topic, payload)
        yield red, other


async def retained(broker: BrokerSettings) -> dict[str, bytes]:
    """Return what a client gets that comes now."""
    async with stranger(broker) as late:
        await late.connection.answers(DEADLINE_S)
        await until(lambda: late.last(STATUS) is not None, DEADLINE_S, "what is retained")
        return {topic: payload for _, topic, payload in late.received}


@pytest.mark.parametrize("retain", [True, False])
@pytest.mark.parametrize("forged", [b"offline", b"", b"\xff", b"{}", b"x" * 16_000])
@pytest.mark.parametrize("topic", TRUTH)
async def test_an_overwritten_message_comes_again_within_a_second(
    broker: BrokerSettings, topic: str, forged: bytes, retain: bool
) -> None:
    async with box_and_stranger(broker) as (red, other):
        other.forge(topic, forged, retain=retain)
        await other.sees(topic, forged)
        await other.sees(topic, TRUTH[topic], SOON_S)
        assert red.reports == [(topic, 1)]
        assert other.payloads(topic) == [TRUTH[topic], forged, TRUTH[topic]]
        assert await retained(broker) == TRUTH


async def test_a_strangers_will_does_not_silence_a_box(broker: BrokerSettings) -> None:
    async with box_and_stranger(broker) as (_, other):
        async with stranger(broker, will=STATUS):
            pass
        await other.sees(STATUS, b"offline")
        await other.sees(STATUS, b"online", SOON_S)
        assert (await retained(broker))[STATUS] == b"online"


async def test_the_message_that_is_ours_is_no_forgery(broker: BrokerSettings) -> None:
    async with box_and_stranger(broker) as (red, other):
        for topic, payload in TRUTH.items():
            other.forge(topic, payload)
        other.forge(INFO, b"forged")
        await other.sees(INFO, b"forged")
        await other.sees(INFO, TRUTH[INFO], SOON_S)
        assert [len(other.payloads(topic)) for topic in TRUTH] == [2, 4, 2]
        assert red.reports == [(INFO, 1)]


async def test_a_box_that_knows_nothing_new_says_nothing_new(broker: BrokerSettings) -> None:
    """Its own messages do not come back to it, not even those that are retained."""
    async with box_and_stranger(broker) as (red, other):
        for number in range(50):
            red.link.keep(STATE, b"%d" % number)
        await other.sees(STATE, b"49")
        other.forge(INFO, b"")
        await other.sees(INFO, b"")
        await other.sees(INFO, TRUTH[INFO], SOON_S)
        assert len(other.payloads(STATE)) == 51
        assert red.reports == [(INFO, 1)]


async def test_a_broker_that_echoes_our_own_messages_is_not_taken_for_a_forger() -> None:
    async with small_broker(Habits()) as (fake, broker):
        fake.retained[STATE] = b"from before", b""
        async with owner(broker, {INFO: TRUTH[INFO]}) as red, stranger(broker) as other:
            for number in range(50):
                red.link.keep(STATE, b"%d" % number)
            await other.sees(STATE, b"49")
            red.link.forget(INFO)
            other.forge(STATUS, b"offline")
            await other.sees(STATUS, b"offline")
            await other.sees(STATUS, b"online", SOON_S)
            assert len(other.payloads(STATE)) in (50, 51)
            assert red.reports == [(STATUS, 1)]


async def test_a_flood_of_forgeries_is_answered_rarely_and_the_truth_stands_at_its_end(
    broker: BrokerSettings,
) -> None:
    length_s, rate = 4.0, 50
    async with box_and_stranger(broker) as (red, other):
        end_s = time.monotonic() + length_s
        sent = 0
        while time.monotonic() < end_s:
            other.forge(STATE, b"forged %d" % sent)
            other.forge(STATUS, b"offline")
            sent += 1
            await asyncio.sleep(1 / rate)  # its rate
        for topic in (STATE, STATUS):
            await other.sees(topic, TRUTH[topic], SOON_S + 0.5)
            answers = other.payloads(topic)[1:].count(TRUTH[topic])
            assert 1 <= answers <= length_s + 2
        assert sorted(topic for topic, _ in red.reports) == [STATE, STATUS]
        assert await retained(broker) == TRUTH


async def test_two_owners_of_one_topic_answer_each_other_a_few_times_only(
    broker: BrokerSettings,
) -> None:
    length_s = 4.0
    async with (
        stranger(broker) as other,
        owner(broker, {STATE: b"one"}, "one") as one,
        owner(broker, {STATE: b"two"}, "two") as two,
    ):
        await asyncio.sleep(length_s)  # the time for which they are counted
        assert len(other.payloads(STATE)) <= 2 * min(IN_A_ROW, length_s + 2)
        for each in (one, two):
            assert [topic for topic, _ in each.reports] in ([STATE], [])


async def test_who_does_not_own_a_topic_now_lets_others_publish_there(
    broker: BrokerSettings,
) -> None:
    owns = True
    async with (
        stranger(broker) as other,
        owner(broker, {STATE: b"old", INFO: b"info"}, may_publish=lambda _topic: owns) as red,
    ):
        await other.sees(STATE, b"old")
        other.forge(STATE, b"new")
        await other.sees(STATE, b"new")
        owns = False  # before it has answered
        other.forge(STATE, b"newer")
        other.forge(STATUS, b"offline")
        await other.sees(STATUS, b"offline")
        await other.sees(STATUS, b"online", SOON_S)
        owns = True
        other.forge(INFO, b"forged")
        await other.sees(INFO, b"forged")
        await other.sees(INFO, b"info", SOON_S)
        assert other.last(STATE) == b"newer"
        assert {topic for topic, _ in red.reports} == {STATUS, INFO}


async def test_a_box_that_may_not_read_its_own_topics_works_as_before(tmp_path: Path) -> None:
    rules = tmp_path / "acl"
    rules.write_text(
        f"topic write {STATUS}\ntopic write {STATE}\ntopic read bigred/box/red/reply\n"
    )
    settings = BrokerSettings(port=free_port())
    # Started by root, it would switch to a user who may not read our folder.
    text = f"{mosquitto.configuration(settings)}acl_file {rules}\nuser root\n"
    with mosquitto.started(tmp_path / "mqtt", text, settings.port):
        async with owner(settings, {STATE: b"state"}) as red:
            for number in range(20):
                red.link.keep(STATE, b"%d" % number)
            assert await red.link.events.get() == LinkUp()
            assert red.link.is_up
            assert red.link.events.empty()
            assert red.reports == []


async def test_with_the_acl_of_the_manual_only_the_owner_and_the_server_write(
    tmp_path: Path,
) -> None:
    red, blue, server = (
        BrokerSettings(port=port, username=name)
        for port in [free_port()]
        for name in (BOX, "blue", "bigred-server")
    )
    with mosquitto.started(tmp_path / "mqtt", with_acl(red, tmp_path), red.port):
        async with (
            stranger(server) as operator,
            owner(red, {STATE: TRUTH[STATE], INFO: TRUTH[INFO]}) as box,
            stranger(blue, will=STATUS) as other,
        ):
            for topic, payload in TRUTH.items():
                await operator.sees(topic, payload)
                other.forge(topic, b"offline")
            async with stranger(blue, will=STATUS):
                pass
            await other.connection.answers(DEADLINE_S)
            for topic, payload in TRUTH.items():
                operator.forge(topic, b"forged")
                await operator.sees(topic, b"forged")
                await operator.sees(topic, payload, SOON_S)
                assert operator.payloads(topic) == [payload, b"forged", payload]
            assert sorted(box.reports) == sorted((topic, 1) for topic in TRUTH)
            other.look()
            assert other.received == []


async def test_with_the_acl_of_the_manual_a_box_hears_all_that_it_subscribes_to(
    tmp_path: Path,
) -> None:
    red, server = (
        BrokerSettings(port=port, username=name)
        for port in [free_port()]
        for name in (BOX, "bigred-server")
    )
    with mosquitto.started(tmp_path / "mqtt", with_acl(red, tmp_path), red.port):
        wanted = intake(TOPICS, BOX)
        topics = [one.replace("+", "shop") for one in wanted.subscriptions]
        box = Link(red, BOX, TOPICS.box(BOX, "status"), intake=wanted)
        running = asyncio.create_task(box.run())
        try:
            async with stranger(server) as operator, asyncio.timeout(DEADLINE_S):
                assert await box.events.get() == LinkUp()
                for topic in topics:
                    operator.forge(topic, b"heard")
                heard = {(await box.events.get()).topic for _ in topics}  # type: ignore[union-attr]
            assert heard == set(topics)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


def with_acl(broker: BrokerSettings, folder: Path) -> str:
    """Return a configuration of Mosquitto with the ACL of the manual."""
    manual = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text(encoding="utf-8")
    [block] = [one for one in manual.split("```") if "pattern read" in one]
    rules = folder / "acl"
    rules.write_text(block)
    # Started by root, it would switch to a user who may not read our folder.
    return f"{mosquitto.configuration(broker)}acl_file {rules}\nuser root\n"
