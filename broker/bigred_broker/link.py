"""The MQTT link, used by both sides: one live connection at a time, and never a stale message.

Each connection is a paho client of its own. When it is lost, the client goes with everything that
was still queued in it, so that a press made while the network was away can never arrive later.
What is to be seen by everyone who connects (`keep`) is published again on every new connection.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from bigred_broker.connection import Connection, Delivery, NotConnectedError
from bigred_broker.delays import LONGEST_S, delays
from bigred_broker.messages import MAX_BYTES, MessageError, Status
from bigred_broker.settings import BrokerSettings

log = structlog.get_logger(__name__)

HEARTBEAT_S = 5.0
HEARTBEAT_DEADLINE_S = 5.0
CONNECT_DEADLINE_S = 10.0
FAREWELL_DEADLINE_S = 1.0
_WORD_S = 0.5
# A link that stood so long begins anew with short waits. Longer than the longest wait: two clients
# of one name evict each other, and would else do so twice a second for ever.
STEADY_S = 2 * LONGEST_S


@dataclass(frozen=True)
class LinkUp:
    """The link stands: subscriptions are made and what is kept was published."""


@dataclass(frozen=True)
class LinkDown:
    """The link is lost; `reason` is a sentence."""

    reason: str


Happening = LinkUp | LinkDown | Delivery


@dataclass
class Link:
    """A client of the broker under `name`, telling `status_topic` whether it is there.

    Run `run()` as a task; read `happenings`. Not for use from other threads. Deliveries come only
    between a LinkUp and its LinkDown: what a LinkUp makes a reader forget is told again after it.
    With `as_published` a message says that it was sent to be retained even when it comes live.
    What is kept is published again on a new connection only where `may_tell(topic)` says so.
    """

    broker: BrokerSettings
    name: str
    status_topic: str
    subscriptions: Sequence[str]
    session_expiry_s: int = 0
    as_published: bool = False
    heartbeat_s: float = HEARTBEAT_S
    may_tell: Callable[[str], bool] = lambda _topic: True
    happenings: asyncio.Queue[Happening] = field(default_factory=asyncio.Queue)
    _kept: dict[str, bytes] = field(default_factory=dict)
    _connection: Connection | None = None
    _told: str = ""

    @property
    def is_up(self) -> bool:
        """Whether a publish would go out now."""
        return self._connection is not None and not self._connection.lost.done()

    def publish(self, topic: str, payload: bytes, *, expiry_s: int | None = None) -> None:
        """Send a message now or never (QoS 1). Raises NotConnectedError; nothing is queued.

        Raises MessageError for one the broker would hang up on: over the size limit.
        """
        _check_size(topic, payload)
        if self._connection is None:
            raise NotConnectedError(f"the broker at {self._address} is away")
        self._connection.publish(topic, payload, expiry_s=expiry_s)

    def keep(self, topic: str, payload: bytes) -> None:
        """Have a retained message stand: sent now if possible, and after every reconnect.

        Raises MessageError when it is over the size limit.
        """
        _check_size(topic, payload)
        if self._kept.get(topic) == payload:
            return
        self._kept[topic] = payload
        if self._connection is not None:
            # Just lost: the next connection publishes it.
            with contextlib.suppress(NotConnectedError):
                self._connection.publish(topic, payload, retain=True)

    def forget(self, topic: str) -> None:
        """Keep a message no longer; what the broker has of it stays."""
        self._kept.pop(topic, None)

    def say_online(self) -> None:
        """Say again that we are there: somebody with the same status topic said the opposite."""
        if self._connection is not None:
            # Just lost: the next connection says it anyway.
            with contextlib.suppress(NotConnectedError):
                self._greet(self._connection)

    async def run(self) -> None:
        """Keep the link up until cancelled; then say farewell, so that no will is needed."""
        waits = delays()
        while True:
            try:
                connection = await self._open()
            except OSError as error:
                self._tell_down(f"the broker at {self._address} can't be reached: {error}")
            else:
                opened = time.monotonic()
                reason = await self._serve(connection)
                if time.monotonic() - opened >= STEADY_S:
                    waits = delays()
                self._tell_down(f"the broker at {self._address} is lost: {reason}")
            await asyncio.sleep(next(waits))

    async def _open(self) -> Connection:
        connection = Connection(
            self.broker,
            self.name,
            self.status_topic,
            self.session_expiry_s,
            self.happenings,
            hold=True,
        )
        try:
            await connection.open(CONNECT_DEADLINE_S)
        except BaseException:
            connection.drop()
            raise
        return connection

    async def _serve(self, connection: Connection) -> str:
        """Use a connection until it is lost; give the reason."""
        try:
            await connection.subscribe(
                self.subscriptions, CONNECT_DEADLINE_S, as_published=self.as_published
            )
            self._greet(connection)
            for topic, payload in self._kept.items():
                if self.may_tell(topic):
                    connection.publish(topic, payload, retain=True)
            self._connection = connection
            self._told = ""
            self.happenings.put_nowait(LinkUp())
            connection.begin()
            return await self._watch(connection)
        except OSError as error:
            return str(error)
        except asyncio.CancelledError:
            self._connection = None  # nothing comes after the farewell
            with contextlib.suppress(NotConnectedError):
                connection.publish(self.status_topic, Status.OFFLINE.value.encode(), retain=True)
                await connection.close(FAREWELL_DEADLINE_S)
            raise
        finally:
            self._connection = None
            connection.drop()

    async def _watch(self, connection: Connection) -> str:
        """Prove again and again that answers still come; paho's own flag survives a dead thread."""
        while not connection.lost.done():
            started = time.monotonic()
            if not await connection.answers(HEARTBEAT_DEADLINE_S):
                # Where paho saw the end first, its word of why is on its way.
                await asyncio.wait([connection.lost], timeout=_WORD_S)
                if connection.lost.done():
                    break
                return f"no heartbeat for {HEARTBEAT_DEADLINE_S:g} s"
            pause = max(0.0, self.heartbeat_s - (time.monotonic() - started))
            await asyncio.wait([connection.lost], timeout=pause)
        return connection.lost.result()

    def _greet(self, connection: Connection) -> None:
        connection.publish(self.status_topic, Status.ONLINE.value.encode(), retain=True)

    def _tell_down(self, reason: str) -> None:
        if reason != self._told:
            self._told = reason
            log.warning("link down", client=self.name, reason=reason)
            self.happenings.put_nowait(LinkDown(reason))

    @property
    def _address(self) -> str:
        return f"{self.broker.host}:{self.broker.port}"


def _check_size(topic: str, payload: bytes) -> None:
    if len(payload) > MAX_BYTES:
        raise MessageError(f"{topic}: {len(payload)} bytes are over the limit of {MAX_BYTES}")
