"""The server on a real site: restarting neighbours, people's commands, and boxes.

One demo site for all: three Tomcats behind HAProxy, of which at least one must always serve. After
the canary the other two are updated together.
"""

import asyncio
import itertools
import os
import signal
import sqlite3
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from tests.support import forked
from tests.support.clocks import clocks
from tests.support.news import News
from tests.support.until import until

from bigred_broker import mosquitto
from bigred_broker.connection import Delivery
from bigred_broker.link import Link
from bigred_broker.messages import (
    Answer,
    AppState,
    BoxEvent,
    EventType,
    NodeState,
    Phase,
    Refusal,
    Reply,
    decode,
    encode,
)
from bigred_broker.program import is_listening, wait_until
from bigred_broker.topics import Topics
from bigred_server.demo import cleanup
from bigred_server.demo.config import APP, BOX
from bigred_server.demo.demo_site import DemoSite, set_up
from bigred_server.demo.load import shopping
from bigred_server.demo.request_log import failures
from bigred_server.model.action_record import Outcome
from bigred_server.rollout.core.action import ActionKind

DEADLINE_S = 40.0
TOPICS = Topics()
NODES = ("node1", "node2", "node3")


@dataclass
class Rig:
    """The demo site, with a server and a broker that can be stopped and restarted."""

    demo_site: DemoSite
    stack: ExitStack
    _servers: ExitStack = field(default_factory=ExitStack)
    _versions: Iterator[int] = field(default_factory=lambda: itertools.count(2))

    def start_server(self) -> None:
        self._servers.enter_context(self.demo_site.server(run=forked.running))

    def stop_server(self) -> None:
        self._servers.close()

    def stop_broker(self) -> None:
        config = str(self.demo_site.folder / "mqtt" / "mosquitto.conf").encode()
        for process in cleanup.marked(self.demo_site.folder):
            with suppress(OSError):  # one that has just ended is not the broker
                if config in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0"):
                    os.kill(process, signal.SIGKILL)
        wait_until(lambda: not is_listening(self.demo_site.broker.port), 5, "the broker is gone")

    def start_broker(self) -> None:
        running = mosquitto.running(self.demo_site.folder / "mqtt", self.demo_site.broker.port)
        self.stack.enter_context(running)

    def restart_haproxy(self) -> None:
        """Restart HAProxy as `systemctl restart` does: it drops clients and forgets settings."""
        haproxy = self.demo_site.haproxy
        os.kill(int((haproxy.folder / "haproxy.pid").read_text()), signal.SIGTERM)
        wait_until(lambda: not is_listening(haproxy.port), 10, "HAProxy is gone")
        self.stack.enter_context(haproxy.run())

    def submit(self) -> str:
        version = f"{next(self._versions)}.0.0"
        self.bigred("submit", str(self.demo_site.build(version)), "--version", version)
        return version

    def deploy(self, version: str) -> str:
        return self.bigred("deploy", version, "--no-wait").split()[1]

    def bigred(self, *arguments: str) -> str:
        done = self._done(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *arguments: str) -> str:
        done = self._done(*arguments)
        assert done.returncode == 1, done.stdout
        return done.stderr

    def _done(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return forked.run(*arguments, "--config", str(self.demo_site.config))

    def rows(self, query: str, *values: str) -> list[tuple[str, ...]]:
        file = self.demo_site.folder / "state" / "bigred.db"
        with closing(sqlite3.connect(file, timeout=5)) as journal:
            return journal.execute(query, values).fetchall()

    def actions(self, deployment: str, node: str) -> list[tuple[str, ...]]:
        query = "SELECT kind, outcome FROM act WHERE deployment = ? AND node = ? ORDER BY id"
        return self.rows(query, deployment, node)

    def texts(self, deployment: str) -> list[str]:
        query = "SELECT text FROM event WHERE deployment = ? ORDER BY id"
        return [text for (text,) in self.rows(query, deployment)]

    def deployments(self) -> int:
        return len(self.rows("SELECT id FROM deployment"))

    def until_act(
        self, deployment: str, node: str, kind: ActionKind, outcome: Outcome | None
    ) -> None:
        wait_until(
            lambda: (kind, outcome) in self.actions(deployment, node),
            DEADLINE_S,
            f"{kind} at {node}",
            every_s=0.001,  # actions take milliseconds
        )

    def outcome(self, deployment: str) -> str:
        query = "SELECT phase FROM deployment WHERE id = ? AND ended_at IS NOT NULL"
        wait_until(lambda: bool(self.rows(query, deployment)), DEADLINE_S, "it has ended")
        return self.rows(query, deployment)[0][0]

    def state(self) -> AppState:
        return AppState.model_validate_json(self.bigred("status", "--json"))

    def serving(self) -> dict[str, str]:
        """Return the release of each node that serves."""
        nodes = self.state().nodes
        return {node.name: node.release for node in nodes if node.state is NodeState.SERVING}

    def log(self) -> str:
        return self.demo_site.log("server").read_text()


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with set_up(len(NODES), lambda _: None) as demo_site, ExitStack() as stack:
        text = demo_site.config.read_text()
        text = text.replace("countdown_s = 0.0", "countdown_s = 0.0\nmin_healthy = 1\nbatch = 2")
        text = text.replace('warmup = ["/shop/"]', 'warmup = ["/shop/"]\nwarmup_requests = 20')
        demo_site.config.write_text(text)
        rig = Rig(demo_site, stack)
        stack.callback(rig.stop_server)
        rig.start_server()
        yield rig


@dataclass
class Operator:
    """A box played by the test, and all that it receives."""

    link: Link
    replies: dict[str, Reply] = field(default_factory=dict)
    run: str = ""
    kept: dict[str, bytes] = field(default_factory=dict)
    news: News = field(default_factory=lambda: News(DEADLINE_S))

    async def listen(self) -> None:
        while True:
            happening = await self.link.events.get()
            if isinstance(happening, Delivery):
                happening.ack()
                self._record(happening)
            self.news.notify()

    def _record(self, delivery: Delivery) -> None:
        match TOPICS.parse(delivery.topic):
            case ("box", _, "reply"):
                reply = decode(Reply, delivery.payload)
                self.run = reply.clock.run if reply.clock else self.run
                self.replies[reply.id] = reply.model_copy(update={"clock": None})
            case _:
                self.kept[delivery.topic] = delivery.payload

    async def send(self, event: BoxEvent, box: str = BOX) -> Reply:
        """Send an event; return the reply."""
        self.replies.pop(event.id, None)
        self.link.publish(TOPICS.box(box, "event"), encode(event))
        await self.news.until(lambda: event.id in self.replies, f"{event.event_type} is answered")
        return self.replies[event.id]

    def press(self, arming: str | None) -> BoxEvent:
        """Return a press of this moment."""
        return happened(EventType.PRESS, arming).model_copy(update={"clocks": clocks(self.run)})

    async def app_state(self) -> AppState:
        topic = TOPICS.app(APP, "state")
        await self.news.until(lambda: topic in self.kept, "the app's state is there")
        return decode(AppState, self.kept[topic])


@asynccontextmanager
async def at_the_broker(rig: Rig) -> AsyncIterator[Operator]:
    topics = [TOPICS.every_box, TOPICS.every_app_state, TOPICS.server_status]
    operator = Operator(Link(rig.demo_site.broker, "test-operator", "bigred/test/status", topics))
    running = [asyncio.create_task(operator.link.run()), asyncio.create_task(operator.listen())]
    try:
        await operator.news.until(lambda: operator.link.is_up, "the link stands")
        yield operator
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def happened(kind: EventType, arming: str | None = None) -> BoxEvent:
    return BoxEvent(event_type=kind, id=uuid.uuid4().hex, seq=1, boot="test", arming=arming)


def in_flight(url: str, ms: int) -> Callable[[], list[int]]:
    """Keep a slow request in flight on every node; return how to read their statuses."""
    pool = ThreadPoolExecutor(len(NODES))

    def ask(_: int) -> int:
        try:
            return httpx2.get(f"{url}/slow", params={"ms": ms}, timeout=15).status_code
        except httpx2.TransportError:
            return 0

    answers = pool.map(ask, range(len(NODES)))

    def read() -> list[int]:
        with pool:
            return list(answers)

    return read


async def test_the_retained_state_is_what_status_prints(rig: Rig) -> None:
    async with at_the_broker(rig) as operator:
        version = await asyncio.to_thread(rig.submit)

        def announced() -> bool:
            kept = operator.kept.get(TOPICS.app(APP, "state"))
            state = decode(AppState, kept) if kept else None
            return bool(state and state.candidate and state.candidate.version == version)

        await operator.news.until(announced, f"{version} is the candidate")
        said = await asyncio.to_thread(rig.state)
        assert await operator.app_state() == said
        assert operator.kept[TOPICS.server_status] == b"online"


async def test_a_press_deploys_the_announced_release_once(rig: Rig) -> None:
    announced = await asyncio.to_thread(rig.submit)
    async with at_the_broker(rig) as operator:
        armed = await operator.send(happened(EventType.LID_OPEN))
        assert armed.answer is Answer.ARMED
        assert armed.release
        assert armed.release.version == announced
        newer = await asyncio.to_thread(rig.submit)
        press = operator.press(armed.arming)
        accepted = await operator.send(press)
        assert accepted.answer is Answer.ACCEPTED
        assert accepted.deployment
        assert await operator.send(press) == accepted, "a replay is answered as the first was"
        again = await operator.send(operator.press(armed.arming))
        assert (again.answer, again.code) == (Answer.REFUSED, Refusal.RUNNING)
        assert await asyncio.to_thread(rig.outcome, accepted.deployment) == Phase.SUCCEEDED
        late = await operator.send(press)
        assert (late.answer, late.code) == (Answer.REFUSED, Refusal.STALE)
        used = await operator.send(operator.press(armed.arming))
        assert (used.answer, used.code) == (Answer.REFUSED, Refusal.USED)
    assert rig.deployments() == 1
    state = rig.state()
    assert rig.serving() == dict.fromkeys(NODES, announced)
    assert state.candidate
    assert state.candidate.version == newer


async def test_an_unknown_box_may_fire_nothing(rig: Rig) -> None:
    before = rig.deployments()
    async with at_the_broker(rig) as operator:
        for kind in (EventType.LID_OPEN, EventType.PRESS):
            reply = await operator.send(happened(kind), box="stranger")
            assert (reply.answer, reply.code) == (Answer.REFUSED, Refusal.NOT_ALLOWED)
            assert "[boxes.stranger]" in reply.reason
    assert rig.deployments() == before


async def test_malformed_events_are_logged_once_and_the_server_carries_on(rig: Rig) -> None:
    async with at_the_broker(rig) as operator:
        for payload in (b"{", b"\xff\x00", b'{"v":2}', b"[]", b"x" * 16_000):
            operator.link.publish(TOPICS.box(BOX, "event"), payload)
        # One session keeps the order: when this is answered, the earlier ones have been handled.
        reply = await operator.send(happened(EventType.LID_OPEN))
        assert reply.answer is Answer.ARMED
    assert rig.log().count("malformed message") == 1


async def test_retained_events_are_never_handled(rig: Rig) -> None:
    before = rig.deployments()
    topic = TOPICS.box(BOX, "event")
    stale = happened(EventType.LID_OPEN)
    async with at_the_broker(rig) as operator:
        operator.link.keep(topic, encode(stale))
        try:
            # One session keeps the order: once this is answered, retained messages have arrived.
            assert (await operator.send(happened(EventType.LID_OPEN))).answer is Answer.ARMED
            assert stale.id not in operator.replies
            await asyncio.to_thread(rig.stop_server)
            await asyncio.to_thread(rig.start_server)
            assert (await operator.send(happened(EventType.LID_OPEN))).answer is Answer.ARMED
            assert stale.id not in operator.replies
        finally:
            operator.link.keep(topic, b"")
    assert rig.deployments() == before


async def test_an_absent_broker_is_awaited(rig: Rig) -> None:
    rig.stop_server()
    rig.stop_broker()
    begin = len(rig.log())
    starting = asyncio.create_task(asyncio.to_thread(rig.start_server))

    def complains() -> bool:
        return "can't be reached" in rig.log()[begin:]

    await until(complains, 15, "the server says so")
    rig.start_broker()
    await starting
    assert rig.log()[begin:].count("link down") == 1
    async with at_the_broker(rig) as operator:
        assert (await operator.send(happened(EventType.LID_OPEN))).answer is Answer.ARMED
        assert (await operator.app_state()).app == APP


async def test_a_restart_of_the_broker_does_not_disturb_a_deployment(rig: Rig) -> None:
    version = rig.submit()
    deployment = rig.deploy(version)
    rig.until_act(deployment, "node1", ActionKind.STOP, Outcome.DONE)
    rig.stop_broker()
    rig.until_act(deployment, "node2", ActionKind.STOP, Outcome.DONE)
    rig.start_broker()
    assert rig.outcome(deployment) == Phase.SUCCEEDED
    assert rig.serving() == dict.fromkeys(NODES, version)
    async with at_the_broker(rig) as operator:
        # The new broker remembers nothing, so everything there was published again.
        ended = TOPICS.app(APP, "state")
        await operator.news.until(
            lambda: (
                ended in operator.kept
                and decode(AppState, operator.kept[ended]).phase is Phase.SUCCEEDED
            ),
            "the state is there again",
        )
        await operator.news.until(
            lambda: operator.kept.get(TOPICS.server_status) == b"online",
            "the server is there again",
        )


def test_a_reload_of_haproxy_in_mid_deployment_costs_no_request(rig: Rig) -> None:
    version = rig.submit()
    with shopping(rig.demo_site.folder, rig.demo_site.url, 100.0) as load:
        deployment = rig.deploy(version)
        rig.until_act(deployment, "node1", ActionKind.MAINT, Outcome.DONE)
        rig.demo_site.haproxy.reload()
        rig.until_act(deployment, "node2", ActionKind.START, Outcome.DONE)
        rig.demo_site.haproxy.reload()
        assert rig.outcome(deployment) == Phase.SUCCEEDED
    assert failures(load.seen()) == []
    reported = [text for text in rig.texts(deployment) if "HAProxy was reloaded" in text]
    assert len(reported) == 2
    assert rig.serving() == dict.fromkeys(NODES, version)


@pytest.mark.alone  # the restart must come while the request is in flight
def test_a_restart_of_haproxy_in_mid_drain_is_overcome(rig: Rig) -> None:
    version = rig.submit()
    # One of them is in flight whenever a node is drained.
    waves = [in_flight(rig.demo_site.url, 5000)]
    deployment = rig.deploy(version)
    waves.append(in_flight(rig.demo_site.url, 5000))
    rig.until_act(deployment, "node1", ActionKind.MAINT, Outcome.DONE)
    begun = [("fetch", "done"), ("maint", "done")]
    assert rig.actions(deployment, "node1") == begun, "a request is in flight"
    rig.restart_haproxy()
    assert rig.outcome(deployment) == Phase.SUCCEEDED
    kinds = [kind for kind, _ in rig.actions(deployment, "node1")]
    # An HAProxy that ends may still say that the request has ended: then Tomcat is stopped already.
    before_the_start = kinds[: kinds.index(ActionKind.START)]
    assert before_the_start.count(ActionKind.MAINT) == 2, "the node is taken out again"
    assert rig.serving() == dict.fromkeys(NODES, version)
    assert [len(answers()) for answers in waves] == [len(NODES)] * 2


def test_a_node_that_is_down_beforehand_is_skipped_and_listed(rig: Rig) -> None:
    tomcat = rig.demo_site.nodes["node3"]
    subprocess.run(tomcat.stop_command, timeout=20, check=True)
    wait_until(lambda: "node3" not in rig.serving(), 10, "HAProxy finds node3 down")
    version = rig.submit()
    try:
        deployment = rig.deploy(version)
        assert rig.outcome(deployment) == Phase.SUCCEEDED
        assert rig.serving() == dict.fromkeys(("node1", "node2"), version)
        assert rig.actions(deployment, "node3") == []
        shown = rig.bigred("show", deployment)
        assert "on 2 nodes" in shown
        assert "skipped (not in service): node3" in shown
    finally:
        subprocess.run(tomcat.start_command, timeout=20, check=True)
    wait_until(lambda: rig.serving().get("node3") == version, DEADLINE_S, "node3 is brought on")
    assert rig.actions(deployment, "node3") == []


def test_a_deployment_is_rolled_back_on_request(rig: Rig) -> None:
    live = rig.state().live
    version = rig.submit()
    deployment = rig.deploy(version)
    rig.until_act(deployment, "node1", ActionKind.START, Outcome.DONE)
    said = rig.bigred("rollback")
    assert f"deployment {deployment} is being rolled back" in said
    assert "rolled back on" in said
    assert rig.outcome(deployment) == Phase.ROLLED_BACK
    # Every node in scope: node3, which had been down and missed the live release, gets it too.
    assert live
    assert rig.serving() == dict.fromkeys(NODES, live.version)
    assert f"{version} is bad" in rig.refused("deploy", version)


async def test_a_release_rolled_back_later_is_bad_and_cannot_be_armed(rig: Rig) -> None:
    earlier = rig.serving()["node1"]
    version = await asyncio.to_thread(rig.submit)
    rig.bigred("deploy", version)
    assert rig.serving() == dict.fromkeys(NODES, version)
    rig.bigred("rollback")
    assert rig.serving() == dict.fromkeys(NODES, earlier)
    assert f"{version} is bad" in rig.refused("deploy", version)
    async with at_the_broker(rig) as operator:
        reply = await operator.send(happened(EventType.LID_OPEN))
    assert (reply.answer, reply.code) == (Answer.REFUSED, Refusal.NO_CANDIDATE)
    assert "bad" in reply.reason


async def test_a_stopped_server_says_so_and_returns_to_the_same_state(rig: Rig) -> None:
    before = rig.bigred("status", "--json")
    async with at_the_broker(rig) as operator:
        rig.stop_server()
        status = TOPICS.server_status
        await operator.news.until(
            lambda: operator.kept.get(status) == b"offline", "the server is gone"
        )
        await asyncio.to_thread(rig.start_server)
        await operator.news.until(
            lambda: operator.kept.get(status) == b"online", "the server is back"
        )
    assert rig.bigred("status", "--json") == before
