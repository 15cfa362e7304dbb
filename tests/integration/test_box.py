"""The real agent on a real Mosquitto; the test operates the button and plays the server."""

import asyncio
import contextlib
import os
import random
import signal
import statistics
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from tests.support.news import News
from tests.support.until import until

from bigred_broker import mosquitto
from bigred_broker.connection import Delivery
from bigred_broker.link import Link
from bigred_broker.messages import (
    Answer,
    AppState,
    BoxEvent,
    BoxInfo,
    BoxState,
    Message,
    Phase,
    Progress,
    ReleaseNote,
    Reply,
    SetConfig,
    SetIdentify,
    SetLight,
    SetSay,
    decode,
    encode,
)
from bigred_broker.program import free_port
from bigred_broker.settings import BrokerSettings
from bigred_broker.topics import Topics

DEADLINE_S = 15.0
TOPICS = Topics()
AGENT = Path(sys.executable).with_name("bigred-agent")
NEW = ReleaseNote(digest="b" * 64, version="1.4.2", author="Ada")

CONFIG = """
[box]
name = "red"
answer_deadline_s = {answer_deadline_s}
settle_s = 0.2
[broker]
port = {port}
[button]
kind = "simulated"
hold_s = 30
socket = "{socket}"
[voice]
engine = "none"
"""

M = TypeVar("M", bound=Message)


class Broker:
    """A Mosquitto that can be stopped and restarted on the same port, without any memory."""

    def __init__(self, folder: Path) -> None:
        self.settings = BrokerSettings(port=free_port())
        self._folder = folder
        self._stack = contextlib.ExitStack()

    def start(self) -> None:
        self._stack.enter_context(mosquitto.running(self._folder, self.settings.port))

    def stop(self) -> None:
        self._stack.close()


@dataclass
class Server:
    """Plays the deploy server; records what the box sends."""

    link: Link
    events: "asyncio.Queue[BoxEvent]" = field(default_factory=asyncio.Queue)
    seen: dict[str, bytes] = field(default_factory=dict)
    at_s: dict[str, float] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)
    news: News = field(default_factory=lambda: News(DEADLINE_S))

    async def listen(self) -> None:
        while True:
            received = await self.link.events.get()
            if not isinstance(received, Delivery):
                continue
            received.ack()
            self.seen[received.topic] = received.payload
            if received.topic == TOPICS.box("red", "event"):
                event = decode(BoxEvent, received.payload)
                self.at_s[event.id] = time.monotonic()
                self.events.put_nowait(event)
            elif received.topic == TOPICS.box("red", "state"):
                self.sentences.append(self.box().voice.said)
            self.news.notify()

    async def event(self, kind: str) -> BoxEvent:
        async with asyncio.timeout(DEADLINE_S):
            event = await self.events.get()
        assert event.event_type.value == kind
        return event

    def box(self) -> BoxState:
        return decode(BoxState, self.seen[TOPICS.box("red", "state")])

    async def box_is(self, what: str, ready: Callable[[BoxState], bool]) -> BoxState:
        topic = TOPICS.box("red", "state")
        await self.news.until(
            lambda: topic in self.seen and ready(self.box()), what, lambda: self.seen
        )
        return self.box()

    async def light(self, pattern: str) -> BoxState:
        return await self.box_is(f"light {pattern}", lambda box: box.lights.pattern == pattern)

    async def announced(self, text: str) -> None:
        await self.news.until(
            lambda: text in self.sentences, f"announced {text!r}", lambda: self.seen
        )

    async def status(self, word: str) -> None:
        topic = TOPICS.box("red", "status")
        await self.news.until(
            lambda: self.seen.get(topic) == word.encode(), f"the box {word}", lambda: self.seen
        )

    def reply(self, event: BoxEvent, answer: Answer, **rest: object) -> None:
        message = Reply.model_validate({"id": event.id, "answer": answer, **rest})
        self.link.publish(TOPICS.box("red", "reply"), encode(message), expiry_s=5)

    def app(self, phase: Phase, done: int = 0) -> None:
        progress = Progress(done=done, total=3)
        state = AppState(
            app="shop", phase=phase, deployment="d2", release=NEW, progress=progress, reason="why"
        )
        self.link.keep(TOPICS.app("shop", "state"), encode(state))

    def arm(self, event: BoxEvent) -> None:
        self.reply(
            event, Answer.ARMED, app="shop", release=NEW, nodes=3, arming="key-1", expires_in_s=60
        )


class ButtonSocket:
    """Controls the simulated button through its socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __call__(self, *words: str) -> str:
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_unix_connection(self._path)
            answer = b""
            for word in words:
                writer.write(f"{word}\n".encode())
                answer = await reader.readline()
            writer.close()
        return answer.decode().strip()


@dataclass
class Rig:
    """The agent, its broker, and the server and button that the test plays."""

    broker: Broker
    server: Server
    button: ButtonSocket
    agent: Process
    log: Path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
async def server(broker: Broker) -> AsyncIterator[Server]:
    link = Link(broker.settings, "server", TOPICS.server_status, [TOPICS.every_box])
    server = Server(link)
    tasks = [asyncio.create_task(link.run()), asyncio.create_task(server.listen())]
    yield server
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=DEADLINE_S)


@pytest.fixture
def answer_deadline_s() -> float:
    """The box's answer deadline: longer than any delay of a busy machine."""
    return 30.0


@pytest.fixture
async def rig(
    broker: Broker, server: Server, tmp_path: Path, answer_deadline_s: float
) -> AsyncIterator[Rig]:
    socket, config, log = tmp_path / "b.sock", tmp_path / "agent.toml", tmp_path / "agent.log"
    config.write_text(
        CONFIG.format(port=broker.settings.port, socket=socket, answer_deadline_s=answer_deadline_s)
    )
    with log.open("wb") as output:
        agent = await asyncio.create_subprocess_exec(
            AGENT, "run", "--config", config, "--log", "json",
            stdout=output, stderr=output, start_new_session=True,
            env={**os.environ, "GPIOZERO_PIN_FACTORY": "mock"},
        )  # fmt: skip
    rig = Rig(broker, server, ButtonSocket(socket), agent, log)
    try:
        await server.box_is("a button", lambda box: box.button_connected)
        await server.light("idle")
        yield rig
    finally:
        if agent.returncode is None:
            agent.kill()
        await agent.wait()
        if "Traceback" in log.read_text():
            pytest.fail(log.read_text())


async def test_from_the_lid_to_the_end_of_a_deployment(rig: Rig) -> None:
    server, button = rig.server, rig.button
    assert await button("open") == "ok"
    server.arm(await server.event("lid_open"))
    await server.light("armed")
    await server.announced("System is armed! Shop 1.4.2 by Ada, to three servers.")
    await button("press")
    press = await server.event("press")
    assert press.arming == "key-1"
    server.reply(press, Answer.ACCEPTED, deployment="d2")
    await server.announced("Firing missiles!")
    await server.light("deploying")
    assert (await server.event("release")).seq == press.seq + 1
    server.app(Phase.CANARY, 1)
    await server.announced("Node one of three done.")
    await server.announced("The first server goes ahead.")
    await server.box_is("a third", lambda box: abs(box.lights.progress - 1 / 3) < 0.01)
    server.app(Phase.ROLLING, 2)
    await server.announced("The others follow.")
    server.app(Phase.SUCCEEDED, 3)
    await server.announced("Target reached! Shop 1.4.2 is live.")
    await server.light("succeeded")
    await button("close")
    assert (await server.event("lid_close")).event_type.value == "lid_close"


async def test_a_rollback_is_announced_with_its_reason(rig: Rig) -> None:
    server, button = rig.server, rig.button
    await button("open")
    server.arm(await server.event("lid_open"))
    await server.light("armed")
    await button("press")
    server.reply(await server.event("press"), Answer.ACCEPTED, deployment="d2")
    await server.light("deploying")
    server.app(Phase.ROLLING_BACK)
    await server.announced("Missiles coming back: why.")
    server.app(Phase.ROLLED_BACK)
    await server.announced("Shop 1.4.2 was rolled back: why.")
    await server.light("rolled_back")


@pytest.mark.parametrize("answer_deadline_s", [0.5])
async def test_a_server_that_does_not_reply_is_announced(rig: Rig) -> None:
    await rig.button("open")
    await rig.server.event("lid_open")
    await rig.server.announced("Nobody answered.")
    await rig.button("press")
    await rig.server.announced("Not armed. Close the lid and lift it again first.")
    assert rig.server.events.empty()


async def test_closing_the_lid_disarms(rig: Rig) -> None:
    await rig.button("open")
    rig.server.arm(await rig.server.event("lid_open"))
    await rig.server.light("armed")
    await rig.button("close")
    await rig.server.announced("System disarmed.")
    await rig.server.event("lid_close")


async def test_an_unplugged_button_is_reported_and_found_again(rig: Rig) -> None:
    server, button = rig.server, rig.button
    await button("unplug")
    await server.event("button_lost")
    await server.announced("The red button was unplugged.")
    assert (await server.light("button_lost")).lid.value == "unknown"
    await button("open", "plug")
    await server.event("button_found")
    await server.announced("The red button is connected.")
    # The lid was open at the start: it must be seen closed before a press counts.
    await button("press", "close", "open")
    await server.event("lid_close")
    await server.event("lid_open")


async def test_events_during_a_broker_outage_are_lost_and_never_repeated(
    rig: Rig,
) -> None:
    server, button = rig.server, rig.button
    await button("open")
    server.arm(await server.event("lid_open"))
    await server.light("armed")
    rig.broker.stop()
    await _logged(rig, "Connection lost. System disarmed.")
    await _logged(rig, "Contact with headquarters lost.")
    await button("press")
    await _logged(rig, "No connection to the server. Nothing was sent.")
    server.seen.clear()
    rig.broker.start()
    await server.announced("Contact with headquarters restored.")
    await server.light("idle")
    assert decode(BoxInfo, server.seen[TOPICS.box("red", "info")]).button == "simulated button"
    assert server.seen[TOPICS.box("red", "status")] == b"online"
    # The lid is still open, but the arming is void, and the press during the outage is dropped.
    await button("close", "open")
    await server.event("lid_close")
    await server.event("lid_open")


async def test_the_server_may_speak_light_identify_mute_and_change_the_pack(rig: Rig) -> None:
    server = rig.server

    def ask(message: Message, leaf: str) -> None:
        server.link.publish(f"bigred/box/red/set/{leaf}", encode(message))

    ask(SetSay(text="Lunch\x07!"), "say")
    await server.announced("Lunch !")
    ask(SetLight(pattern="rolled-back"), "light")
    await server.light("rolled_back")
    ask(SetIdentify(), "identify")
    await server.light("identify")
    await server.announced("Here I am. My name is Red.")
    ask(SetConfig(pack="plain", muted=True), "config")
    ask(SetIdentify(), "identify")
    await server.announced("This is the box Red.")


async def test_malformed_messages_are_logged_once_and_the_box_runs_on(rig: Rig) -> None:
    server = rig.server
    for payload in (b"", b"{", b'{"v": 2}', b"\xff" * 100, b"[" * 10_000):
        server.link.publish(TOPICS.box("red", "reply"), payload)
        server.link.publish(TOPICS.app("shop", "state"), payload)
    server.link.publish("bigred/box/red/set/say", b'{"text": "still here"}')
    await server.announced("still here")
    assert rig.log.read_text().count("malformed message") == 2


async def test_the_socket_refuses_unknown_commands_and_stays_open(rig: Rig) -> None:
    assert (await rig.button("launch")).startswith("error: unknown command 'launch'")
    assert await rig.button("open", "close") == "ok"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly(rig: Rig, number: signal.Signals) -> None:
    rig.agent.send_signal(number)
    async with asyncio.timeout(DEADLINE_S):
        assert await rig.agent.wait() == 0
    await rig.server.status("offline")
    assert not list(rig.log.parent.glob("b.sock"))


async def test_a_killed_box_is_offline_by_its_will(rig: Rig) -> None:
    rig.agent.kill()
    await rig.server.status("offline")


async def test_a_box_that_others_overwrite_says_again_how_it_is(rig: Rig) -> None:
    await rig.server.status("online")
    truth = await rig.server.box_is("ready", lambda box: box.button_connected)
    forged = encode(truth.model_copy(update={"button_connected": False}))
    rig.server.link.publish(TOPICS.box("red", "status"), b"offline")
    rig.server.link.publish(TOPICS.box("red", "state"), forged)
    await rig.server.status("offline")
    await rig.server.status("online")
    await rig.server.box_is("as before", lambda box: box.button_connected)
    await until(
        lambda: rig.log.read_text().count("our message was published again") == 2,
        DEADLINE_S,
        "both are logged",
    )


async def test_a_socket_in_a_missing_folder_fails_with_one_sentence(
    rig: Rig, tmp_path: Path
) -> None:
    agent = await asyncio.create_subprocess_exec(
        AGENT, "run", "--simulated", tmp_path / "nowhere" / "b.sock",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(DEADLINE_S):
        _, errors = await agent.communicate()
    assert agent.returncode == 1
    assert "choose another path" in errors.decode()
    assert "Traceback" not in errors.decode()


async def test_the_doctor_finds_broker_and_server_without_disturbing_the_agent(
    rig: Rig,
) -> None:
    doctor = await asyncio.create_subprocess_exec(
        AGENT, "doctor", "--config", rig.log.with_name("agent.toml"),
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "GPIOZERO_PIN_FACTORY": "mock"},
    )  # fmt: skip
    async with asyncio.timeout(DEADLINE_S):
        output, _ = await doctor.communicate()
    assert doctor.returncode == 0, output.decode()
    assert "All is well." in output.decode()
    assert rig.agent.returncode is None
    assert rig.server.seen[TOPICS.box("red", "status")] == b"online"


@pytest.mark.alone
async def test_an_event_leaves_the_box_within_a_poll_and_five_milliseconds(
    rig: Rig, record_property: Callable[[str, object], None]
) -> None:
    whole_ms, inside_ms = [], []
    for word, kind in [("open", "lid_open"), ("close", "lid_close")] * 20:
        # Pauses like a person's, not in step with the polling.
        await asyncio.sleep(0.1 + random.random() * 0.03)
        sent_s = time.monotonic()
        await rig.button(word)
        event = await rig.server.event(kind)
        whole_ms.append((rig.server.at_s[event.id] - sent_s) * 1000)
        inside_ms.append(event.age_ms)
    whole, inside = statistics.median(whole_ms), statistics.median(inside_ms)
    print(f"button to server {whole:.1f} ms, reading to publish {inside:.2f} ms (medians)")  # noqa: T201
    record_property("button_to_server_ms", whole)
    assert whole <= 25
    assert inside <= 5


async def _logged(rig: Rig, text: str) -> None:
    """Wait for a sentence in the agent's own log, the only evidence without a broker."""
    await until(lambda: text in rig.log.read_text(), DEADLINE_S, f"it logs {text!r}")
