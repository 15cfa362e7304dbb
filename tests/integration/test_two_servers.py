"""Two real servers on one PostgreSQL and one Mosquitto: for boxes and subscribers they are one."""

import asyncio
import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support import forked
from tests.support.forked import Forked
from tests.support.news import News
from tests.support.postgresql import Cluster
from tests.support.until import until

from bigred_broker import mosquitto
from bigred_broker.connection import Delivery
from bigred_broker.link import Link
from bigred_broker.messages import (
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
from bigred_server.settings import example

BOX, APP = "office", "shop"
DEADLINE_S = 40.0
TAKE_OVER_S = 15.0
# The longest outage that a box ignores.
SETTLE_S = 2.0
TOPICS = Topics()


@dataclass(frozen=True)
class Rig:
    """What the servers share, and a folder with their configurations."""

    folder: Path
    database: str
    broker: BrokerSettings
    stack: ExitStack

    def config(self, name: str) -> Path:
        text = example()
        for old, new in (
            ('"/var/lib/bigred"', f'"{self.folder / "state"}"'),
            ('"/run/haproxy/admin.sock"', f'"{self.folder / "admin.sock"}"'),
            ("#port = 1883", f"port = {self.broker.port}"),
            ('#name = "bigred-server"', f'name = "{name}"'),
            ('#database = ""', f"database = {json.dumps(self.database)}"),
        ):
            assert old in text
            text = text.replace(old, new, 1)
        file = self.folder / f"{name}.toml"
        file.write_text(text)
        return file

    def server(self, name: str, log: str = "") -> Forked:
        file = self.folder / f"{log or name}.log"
        file.touch()
        arguments = ("server", "-c", str(self.config(name)))
        return self.stack.enter_context(
            forked.running(
                name, arguments, file, lambda: "connected to the broker" in file.read_text()
            )
        )

    def bigred(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return forked.run(*arguments, "-c", str(self.config("cli")), deadline_s=DEADLINE_S)


@pytest.fixture
def rig(postgresql: Cluster, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        broker = stack.enter_context(mosquitto.running(tmp_path / "mqtt", free_port()))
        yield Rig(tmp_path, postgresql.new_database(), broker, stack)


@dataclass
class Box:
    """A box played by the test, which records every message and its time."""

    link: Link
    received: list[tuple[float, str, bytes]] = field(default_factory=list)
    news: News = field(default_factory=lambda: News(DEADLINE_S))

    async def listen(self) -> None:
        while True:
            happening = await self.link.events.get()
            if isinstance(happening, Delivery):
                happening.ack()
                self.received.append((time.monotonic(), happening.topic, happening.payload))
            self.news.notify()

    def payloads(self, topic: str) -> list[bytes]:
        return [payload for _, where, payload in self.received if where == topic]

    def replies(self) -> list[Reply]:
        return [decode(Reply, payload) for payload in self.payloads(TOPICS.box(BOX, "reply"))]

    def statuses(self) -> list[tuple[float, str]]:
        topic = TOPICS.server_status
        return [(at, payload.decode()) for at, where, payload in self.received if where == topic]

    def open_lid(self) -> str:
        event = BoxEvent(event_type=EventType.LID_OPEN, id=uuid.uuid4().hex, seq=1, boot="test")
        self.link.publish(TOPICS.box(BOX, "event"), encode(event))
        return event.id

    async def ask(self) -> None:
        """Open the lid; wait for the reply."""
        event = self.open_lid()
        await self.news.until(
            lambda: event in [reply.id for reply in self.replies()], "the lid is answered"
        )

    async def ask_until_answered(self) -> float:
        """Open the lid repeatedly; return how long it took until one was answered."""
        began_s = time.monotonic()
        asked: set[str] = set()
        while not asked & {reply.id for reply in self.replies()}:
            assert time.monotonic() - began_s < DEADLINE_S, "nobody answers"
            asked.add(self.open_lid())
            await asyncio.sleep(0.2)
        return time.monotonic() - began_s


@pytest.fixture
async def box(rig: Rig) -> AsyncIterator[Box]:
    topics = [
        TOPICS.server_status,
        TOPICS.box(BOX, "reply"),
        TOPICS.every_app,
        "homeassistant/device/+/config",
    ]
    box = Box(Link(rig.broker, BOX, TOPICS.box(BOX, "status"), topics))
    running = [asyncio.create_task(box.link.run()), asyncio.create_task(box.listen())]
    await box.news.until(lambda: box.link.is_up, "the link stands")
    box.link.keep(TOPICS.box(BOX, "info"), encode(BoxInfo(agent="test")))
    yield box
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def report(text: str) -> None:
    """Print figures, which `pytest -s` shows."""
    sys.stdout.write(f"{text}\n")


async def start(rig: Rig, *names: str) -> list[Forked]:
    return [await asyncio.to_thread(rig.server, name) for name in names]


async def test_each_lid_has_one_answer(rig: Rig, box: Box) -> None:
    await start(rig, "one", "two")
    for _ in range(10):
        await box.ask()
    stranger = BoxEvent(event_type=EventType.LID_OPEN, id="stranger", seq=1, boot="test")
    box.link.publish(TOPICS.box("stranger", "event"), encode(stranger))
    await box.ask()
    answered = [reply.id for reply in box.replies()]
    assert len(answered) == len(set(answered)) == 11
    announced = f"homeassistant/device/{BOX}/config"
    await box.news.until(lambda: bool(box.payloads(announced)), "the box is announced")
    assert len(box.payloads(announced)) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_servers_are_online_while_one_lives(
    rig: Rig, box: Box, number: signal.Signals
) -> None:
    first, last = await start(rig, "one", "two")
    # A server's log may be ready before the box receives its status: the second server's status
    # may arrive after the first one's end.
    await box.news.until(lambda: len(box.statuses()) >= 2, "both are there")
    assert [status for _, status in box.statuses()] == [Status.ONLINE] * 2
    first.send_signal(number)
    await box.news.until(lambda: len(box.statuses()) >= 4, "the other one says that it lives")
    (gone_s, offline), (back_s, online) = box.statuses()[2:]
    assert (offline, online) == (Status.OFFLINE, Status.ONLINE)
    report(f"{number.name}: offline for {(back_s - gone_s) * 1000:.1f} ms")
    assert back_s - gone_s < SETTLE_S
    last.send_signal(number)
    await box.news.until(lambda: len(box.statuses()) >= 5, "the last one is gone")
    assert box.statuses()[-1][1] == Status.OFFLINE


async def test_another_answers_within_fifteen_seconds_of_a_frozen_leader(
    rig: Rig, box: Box
) -> None:
    first, _ = await start(rig, "one", "two")
    await box.ask()
    states = TOPICS.app(APP, "state")
    await box.news.until(lambda: bool(box.payloads(states)), "the leader publishes the state")
    published = len(box.payloads(states))
    first.send_signal(signal.SIGSTOP)
    try:
        took_s = await box.ask_until_answered()
        report(f"SIGSTOP: another answers after {took_s:.2f} s")
        assert took_s < TAKE_OVER_S
        await box.news.until(
            lambda: len(box.payloads(states)) > published, "the new leader publishes it, too"
        )
        seen = len(box.payloads(states))
    finally:
        first.send_signal(signal.SIGCONT)
    log = rig.folder / "one.log"
    await until(
        lambda: "another server has the lease" in log.read_text(),
        DEADLINE_S,
        "it has learned that another leads",
    )
    before = len(box.replies())
    await box.ask()
    assert len(box.replies()) == before + 1
    assert len(box.payloads(states)) == seen
    assert decode(AppState, box.payloads(states)[-1]).app == APP


async def test_only_the_leader_answers_a_forger_and_the_truth_stands_at_the_end(
    rig: Rig, box: Box
) -> None:
    """Also after another server has begun to lead, whose messages the first one leaves alone."""
    first, _ = await start(rig, "one", "two")
    state, status, length_s = TOPICS.app(APP, "state"), TOPICS.server_status, 3.0
    for leads in ("one", "two"):
        await box.ask_until_answered()
        await box.news.until(lambda: bool(box.payloads(state)), "the leader publishes the state")
        begun, told = len(box.received), box.payloads(state)[-1]
        end_s, forged = time.monotonic() + length_s, 0
        while time.monotonic() < end_s:
            box.link.publish(state, b"forged %d" % forged)
            box.link.publish(status, Status.OFFLINE.value.encode())
            forged += 1
            await asyncio.sleep(1 / 50)  # the forger's rate
        newest = b"forged %d" % (forged - 1)
        await box.news.until(lambda last=newest: last in box.payloads(state), "all has arrived")  # type: ignore[misc]
        await box.news.until(lambda: is_true_again(box, state, status), "the truth stands")
        late_s = time.monotonic() - end_s
        seen = [payload for _, where, payload in box.received[begun:] if where == state]
        true = [payload for payload in seen if not payload.startswith(b"forged")]
        online = [payload for _, where, payload in box.received[begun:] if where == status]
        report(f"{leads} leads: {forged} forged, {len(true)} repeated, late by {late_s:.2f} s")
        assert late_s < SETTLE_S
        assert len(true) <= length_s + 2
        # Both servers say that they are online.
        assert online.count(Status.ONLINE.value.encode()) <= 2 * (length_s + 2)
        assert decode(AppState, true[-1]) == decode(AppState, told)
        if leads == "one":
            first.send_signal(signal.SIGTERM)
            await asyncio.to_thread(first.wait, DEADLINE_S)
            box.received.clear()
    for name in ("one", "two"):
        log = (rig.folder / f"{name}.log").read_text()
        assert log.count("our message was published again") <= 3  # two topics, and the farewell


def is_true_again(box: Box, state: str, status: str) -> bool:
    """Return whether the latest messages are the servers' own."""
    latest = {where: payload for _, where, payload in box.received}
    forged = latest[state].startswith(b"forged")
    return not forged and latest[status] == Status.ONLINE.value.encode()


async def test_a_leader_that_stops_properly_is_replaced_at_once(rig: Rig, box: Box) -> None:
    first, _ = await start(rig, "one", "two")
    await box.ask()
    first.send_signal(signal.SIGTERM)
    took_s = await box.ask_until_answered()
    report(f"SIGTERM: another answers after {took_s:.2f} s")
    assert took_s < 5.0
    assert await asyncio.to_thread(first.wait, DEADLINE_S) == 0


async def test_a_second_server_with_the_same_name_is_refused(rig: Rig, box: Box) -> None:
    [first] = await start(rig, "one")
    command = ("server", "-c", str(rig.config("one")))
    done = await asyncio.to_thread(forked.run, *command, deadline_s=DEADLINE_S)
    assert done.returncode == 1
    said = "bigred: another bigred server named one uses this journal; give each one its own 'name'"
    assert said in done.stderr
    assert first.poll() is None
    await box.ask()


async def test_a_server_that_was_killed_is_started_again_under_its_name(rig: Rig, box: Box) -> None:
    [first] = await start(rig, "one")
    first.kill()
    await asyncio.to_thread(first.wait, DEADLINE_S)
    began_s = time.monotonic()
    await asyncio.to_thread(rig.server, "one", "one-again")
    took_s = await box.ask_until_answered()
    report(f"killed and started again: ready after {time.monotonic() - began_s:.2f} s")
    assert took_s < TAKE_OVER_S


def test_verbs_know_whether_any_server_runs(rig: Rig) -> None:
    assert "The server is not running" in rig.bigred("status").stderr
    refused = rig.bigred("deploy")
    assert refused.returncode == 1
    assert refused.stderr == "bigred: the server is not running; start it with: bigred server\n"
    rig.server("one")
    assert rig.bigred("status").stderr == ""
    assert "no release of shop is ready" in rig.bigred("deploy").stderr


def test_an_absent_database_is_reported_in_one_line(rig: Rig, postgresql: Cluster) -> None:
    config = rig.config("cli")
    config.write_text(config.read_text().replace(str(postgresql.folder), str(rig.folder)))
    done = forked.run("server", "-c", str(config), deadline_s=DEADLINE_S)
    assert done.returncode == 1
    assert done.stderr.startswith("bigred: the journal at postgresql://postgres@/")
    assert done.stderr.count("\n") == 1
