"""The MQTT link of both sides: one live connection at a time, and never a stale message.

Each connection is a new paho client. When it is lost, the client is dropped with everything still
queued in it, so that a press made during an outage can never arrive later. Retained messages
(`keep`) are published again on every new connection, and when others overwrite them.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

import structlog
from paho.mqtt.client import topic_matches_sub

from bigred_broker.backlog import Backlog
from bigred_broker.connection import Connection, Delivery, NotConnectedError
from bigred_broker.delays import LONGEST_S, delays, spread
from bigred_broker.intake import Intake
from bigred_broker.link_status import LinkDown, LinkUp
from bigred_broker.messages import MAX_BYTES, MessageError, Status, build_schemas
from bigred_broker.muting import Muting
from bigred_broker.retained_messages import RetainedMessages
from bigred_broker.settings import BrokerSettings

log = structlog.get_logger(__name__)

HEARTBEAT_S = 5.0
HEARTBEAT_DEADLINE_S = 5.0
CONNECT_DEADLINE_S = 10.0
FAREWELL_DEADLINE_S = 1.0
_REASON_S = 0.5
# After a link has lasted this long, the next delays are short again. It is longer than the longest
# delay: two clients with one name evict each other, and would otherwise do so twice a second.
STEADY_S = 2 * LONGEST_S

LinkEvent = LinkUp | LinkDown | Delivery


@dataclass
class Link:
    """A client of the broker under `name`, which publishes its presence on `status_topic`.

    Run `run()` as a task and read `events`. Not thread-safe. Deliveries come only between a LinkUp
    and its LinkDown, so a reader can reset on LinkUp: retained messages follow it. With
    `as_published`, live messages also report whether they were sent to be retained. Retained
    messages are published again only if `may_publish(topic)` allows it; `on_overwritten(topic,
    count)` is called, once a minute for a topic, when others overwrote them `count` times. With
    an `intake`, which replaces `subscriptions`, sources that send too many messages are muted.
    `spread_s`: over how many seconds links that are lost together spread their return.
    """

    broker: BrokerSettings
    name: str
    status_topic: str
    subscriptions: Sequence[str] = ()
    session_expiry_s: int = 0
    as_published: bool = False
    heartbeat_s: float = HEARTBEAT_S
    may_publish: Callable[[str], bool] = lambda _topic: True
    intake: Intake | None = None
    spread_s: float = 0.0
    on_overwritten: Callable[[str, int], None] = lambda _topic, _count: None
    events: asyncio.Queue[LinkEvent] = field(default_factory=asyncio.Queue)
    _retained: RetainedMessages = field(init=False)
    _backlog: Backlog = field(init=False)
    # The topics whose messages can wait.
    _patient: set[str] = field(default_factory=set)
    _connection: Connection | None = None
    _muting: Muting | None = None
    _reported: str = ""

    def __post_init__(self) -> None:
        build_schemas()
        self._retained = RetainedMessages(
            self.name,
            self.status_topic,
            self._send_retained,
            self._may_publish,
            self.on_overwritten,
        )
        self._retained.keep(self.status_topic, Status.ONLINE.value.encode())
        self._backlog = Backlog(self._publish_some)

    @property
    def is_up(self) -> bool:
        """Whether a publish would go out now."""
        return self._connection is not None and not self._connection.lost.done()

    def publish(
        self, topic: str, payload: bytes, *, expiry_s: int | None = None, qos: int = 1
    ) -> None:
        """Send a message now or never; nothing is queued. Raises NotConnectedError.

        Raises MessageError over the size limit, for which the broker would disconnect us.
        """
        _check_size(topic, payload)
        if self._connection is None:
            raise NotConnectedError(f"not connected to the broker at {self._address}")
        self._connection.publish(topic, payload, expiry_s=expiry_s, qos=qos)

    def keep(self, topic: str, payload: bytes) -> None:
        """Keep a retained message published: now if connected, and after every reconnect.

        It is also published again after another client has published on its topic. Raises
        MessageError over the size limit.
        """
        _check_size(topic, payload)
        self._retained.keep(topic, payload)

    def keep_later(self, topic: str, payload: bytes) -> None:
        """Keep a message of which there are many, and which can wait for all others.

        Raises MessageError over the size limit.
        """
        _check_size(topic, payload)
        self._patient.add(topic)
        if self._retained.put(topic, payload) and self._connection is not None:
            self._backlog.add([topic])

    def repeat(self, topics: Collection[str]) -> None:
        """Publish kept messages again: some brokers send no retained ones to a new subscriber."""
        for topic in topics:
            if topic not in self._patient:
                self._retained.repeat(topic)
        if self._connection is not None:
            self._backlog.add(topic for topic in topics if topic in self._patient)

    async def fetch(self, topics: Sequence[str]) -> None:
        """Have what is retained on these exact topics delivered. Raises OSError if that fails."""
        if self._connection is None:
            raise NotConnectedError(f"not connected to the broker at {self._address}")
        await self._connection.fetch(topics, CONNECT_DEADLINE_S)

    def forget(self, topic: str) -> None:
        """Stop keeping a message; the broker's copy of it stays."""
        self._patient.discard(topic)
        self._retained.forget(topic)

    def take_dropped(self) -> dict[str, int]:
        """Return how many messages of each source were too many since the last call."""
        return self._muting.admission.take_dropped() if self._muting else {}

    async def run(self) -> None:
        """Keep the link up until cancelled; then publish `offline` and disconnect."""
        if self.intake is not None:
            self._muting = Muting(
                self.intake, self._mute_topic, self._readmit_topic, self.as_published
            )
        pauses = delays()
        while True:
            try:
                connection = await self._open()
            except OSError as error:
                self._report_down(f"the broker at {self._address} can't be reached: {error}")
            else:
                opened = time.monotonic()
                reason = await self._serve(connection)
                if time.monotonic() - opened >= STEADY_S:
                    pauses = delays()
                self._report_down(
                    f"the connection to the broker at {self._address} is lost: {reason}"
                )
                await asyncio.sleep(spread(self.spread_s))
            await asyncio.sleep(next(pauses))

    async def _open(self) -> Connection:
        connection = Connection(
            self.broker,
            self.name,
            self.status_topic,
            self.session_expiry_s,
            self.events,
            hold=True,
            admits=self._muting.admission.admits if self._muting else lambda _topic: True,
            inspect=self._inspect,
        )
        try:
            await connection.open(CONNECT_DEADLINE_S)
        except BaseException:
            connection.drop()
            raise
        return connection

    async def _serve(self, connection: Connection) -> str:
        """Use a connection until it is lost; return the reason."""
        try:
            await self._subscribe(connection)
            self._reported = ""
            self.events.put_nowait(LinkUp())
            # These are older than what is published next, and no reason to publish it twice.
            connection.begin()
            self._connection = connection
            urgent = [topic for topic in self._retained.topics if topic not in self._patient]
            self._watch_topics(connection, urgent)
            for topic in urgent:
                if self._may_publish(topic):
                    self._retained.repeat(topic)
            self._backlog.add(self._patient)
            async with self._working(connection):
                return await self._watch(connection)
        except OSError as error:
            return str(error)
        except asyncio.CancelledError:
            self._connection = None  # nothing may follow the last message
            self._retained.close()
            with contextlib.suppress(NotConnectedError):
                connection.publish(self.status_topic, Status.OFFLINE.value.encode(), retain=True)
                await connection.close(FAREWELL_DEADLINE_S)
            raise
        finally:
            self._connection = None
            self._retained.disconnected()
            self._backlog.clear()
            connection.drop()

    async def _subscribe(self, connection: Connection) -> None:
        if self._muting is not None:
            await self._muting.subscribe(connection)
        else:
            await connection.subscribe(
                self.subscriptions, CONNECT_DEADLINE_S, as_published=self.as_published
            )

    @contextlib.asynccontextmanager
    async def _working(self, connection: Connection) -> AsyncIterator[None]:
        """Publish the backlog and mute sources that flood while the block runs."""
        working = [asyncio.create_task(self._backlog.run(connection))]
        if self._muting is not None:
            working.append(asyncio.create_task(self._muting.run(connection)))
        try:
            yield
        finally:
            for each in working:
                each.cancel()

    async def _watch(self, connection: Connection) -> str:
        """Check regularly that the broker answers: paho's own flag outlives a dead thread."""
        while not connection.lost.done():
            started = time.monotonic()
            if not await connection.answers(HEARTBEAT_DEADLINE_S):
                # If paho saw the end first, its reason is on the way.
                await asyncio.wait([connection.lost], timeout=_REASON_S)
                if connection.lost.done():
                    break
                return f"no heartbeat for {HEARTBEAT_DEADLINE_S:g} s"
            pause = max(0.0, self.heartbeat_s - (time.monotonic() - started))
            await asyncio.wait([connection.lost], timeout=pause)
        return connection.lost.result()

    def _may_publish(self, topic: str) -> bool:
        return topic == self.status_topic or self.may_publish(topic)

    def _publish_some(self, topics: Sequence[str]) -> None:
        """Publish what can wait; with one subscription to all its topics, not one for each."""
        if self._connection is not None:
            self._watch_topics(self._connection, topics)
        for topic in topics:
            if self._may_publish(topic):
                self._retained.repeat(topic)

    def _send_retained(self, topic: str, payload: bytes) -> None:
        if self._connection is not None:
            # Just lost: the next connection publishes it.
            with contextlib.suppress(NotConnectedError):
                self._watch_topics(self._connection, [topic])
                self._connection.publish(topic, payload, retain=True)

    def _watch_topics(self, connection: Connection, topics: Iterable[str]) -> None:
        """Read topics of ours, unless a subscription brings them anyway."""
        new = (topic for topic in topics if not connection.watches(topic))
        connection.watch([topic for topic in new if not self._comes_anyway(topic)])

    def _comes_anyway(self, topic: str) -> bool:
        return any(topic_matches_sub(each, topic) for each in self._filters)

    @functools.cached_property
    def _filters(self) -> Sequence[str]:
        if self.intake is None:
            return self.subscriptions
        return [one.topic for one in self.intake.without(frozenset())]

    def _mute_topic(self, source: str) -> None:
        """Stop reading a topic of ours on which others publish too many messages."""
        if self._connection is not None and source in self._retained.topics:
            self._connection.unwatch(source)

    def _readmit_topic(self, source: str) -> None:
        """Read a topic of ours again, whose message may have been overwritten meanwhile."""
        if self._connection is not None and source in self._retained.topics:
            self._watch_topics(self._connection, [source])
            if self._may_publish(source):
                self._retained.repeat(source)

    def _inspect(self, delivery: Delivery) -> None:
        """Compare a live message with ours; a retained one is older than ours."""
        if self._connection is not None and (self.as_published or not delivery.retained):
            self._retained.saw(delivery.topic, delivery.payload)

    def _report_down(self, reason: str) -> None:
        if reason != self._reported:
            self._reported = reason
            log.warning("link down", client=self.name, reason=reason)
            self.events.put_nowait(LinkDown(reason))

    @property
    def _address(self) -> str:
        return f"{self.broker.host}:{self.broker.port}"


def _check_size(topic: str, payload: bytes) -> None:
    if len(payload) > MAX_BYTES:
        raise MessageError(f"{topic}: {len(payload)} bytes are over the limit of {MAX_BYTES}")
