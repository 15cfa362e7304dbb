"""One MQTT 5 connection over paho: from CONNECT to the moment it is lost, then thrown away.

paho runs a network thread; everything it reports is handed to the asyncio loop here, and nothing
that goes wrong in a callback can reach the thread (an exception there would kill it while
`is_connected()` goes on saying True).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any  # paho's user data and flags are untyped

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from bigred_broker.line import Line
from bigred_broker.messages import MAX_BYTES, TOPIC_AND_PROPERTIES, Status
from bigred_broker.settings import BrokerSettings

log = structlog.get_logger(__name__)

KEEPALIVE_S = 15
_QOS = 1
_UNSPECIFIED = 0x80
_RECEIVE_MAXIMUM = 100  # unacknowledged messages the broker may have on the way to us


class NotConnectedError(ConnectionError):
    """Nothing was sent, because there is no connection to the broker."""


@dataclass(frozen=True)
class Delivery:
    """A message that arrived. `ack` it once it is dealt with; until then the broker keeps it."""

    topic: str
    payload: bytes
    retained: bool
    ack: Callable[[], None] = field(compare=False)


class Connection:
    """A single connection; `lost` resolves to a sentence when it ends."""

    def __init__(
        self,
        broker: BrokerSettings,
        name: str,
        status_topic: str,
        session_expiry_s: int,
        deliveries: "asyncio.Queue[Any]",
        *,
        hold: bool = False,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._broker = broker
        self._session_expiry_s = session_expiry_s
        self._deliveries = deliveries
        self._held: list[Delivery] | None = [] if hold else None
        self._connected: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._answers: dict[int, asyncio.Future[Sequence[ReasonCode]]] = {}
        self._unacked: set[int] = set()
        self._all_acked = asyncio.Event()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._line = Line()
        self._client = self._make_client(name, status_topic)

    def _make_client(self, name: str, status_topic: str) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.suppress_exceptions = True
        client.connect_timeout = 5.0
        client.will_set(status_topic, Status.OFFLINE.value, qos=_QOS, retain=True)
        if self._broker.username:
            client.username_pw_set(self._broker.username, self._broker.password)
        if tls := self._broker.tls:
            client.tls_set(
                str(tls.ca),
                str(tls.certificate) if tls.certificate else None,
                str(tls.key) if tls.key else None,
            )
        client.on_socket_open = self._line.opened
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_answer
        client.on_unsubscribe = self._on_answer
        return client

    async def open(self, deadline_s: float) -> None:
        """Connect and wait for the broker's consent. Raises OSError with the broker's reason."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._session_expiry_s
        properties.ReceiveMaximum = _RECEIVE_MAXIMUM
        properties.MaximumPacketSize = MAX_BYTES + TOPIC_AND_PROPERTIES
        async with _deadline(deadline_s, "the broker's answer to CONNECT"):
            try:
                await asyncio.to_thread(
                    self._client.connect,
                    self._broker.host,
                    self._broker.port,
                    KEEPALIVE_S,
                    clean_start=self._session_expiry_s == 0,
                    properties=properties,
                )
            except ValueError as error:
                # A host that can be no name: empty, or a label of more than 63 letters.
                raise ConnectionError(f"{self._broker.host!r} is no host: {error}") from error
            self._client.loop_start()
            await _first_of(self._connected, self.lost)
        if not self._connected.done():
            raise ConnectionError(self.lost.result())
        if self._connected.result().is_failure:
            raise ConnectionError(f"the broker said: {self._connected.result()}")

    async def subscribe(
        self, topics: Sequence[str], deadline_s: float, *, as_published: bool = False
    ) -> None:
        """Subscribe and wait for the answer. Raises OSError when one is refused.

        `as_published`: live messages, too, tell whether they were sent to be retained.
        """
        if not topics:
            return
        # Our own retained messages come back on subscribing: others' too, and those are wanted.
        options = SubscribeOptions(qos=_QOS, retainAsPublished=as_published)
        error, mid = self._client.subscribe([(topic, options) for topic in topics])
        codes = await self._answer(error, mid, deadline_s, "the broker's answer to SUBSCRIBE")
        for topic, code in zip(topics, codes, strict=False):
            if code.is_failure:
                raise ConnectionError(f"the broker refused the subscription to {topic}: {code}")

    def begin(self) -> None:
        """Let deliveries through, if it was made to `hold` them until now.

        A session's messages come before SUBSCRIBE is even sent, and retained ones with its answer.
        """
        held, self._held = self._held or [], None
        for delivery in held:
            self._deliver(delivery)

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: int | None = None
    ) -> None:
        """Hand a message to the network thread. Raises NotConnectedError when it is gone."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        sent = self._client.publish(topic, payload, _QOS, retain, properties)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise NotConnectedError(f"{topic}: not sent, paho says {sent.rc.name}")
        self._unacked.add(sent.mid)

    async def answers(self, deadline_s: float) -> bool:
        """Ask the broker for a harmless answer; say whether it came in time.

        Leaving a topic that was never joined needs no permission and disturbs nobody.
        """
        error, mid = self._client.unsubscribe("$bigred/heartbeat")
        try:
            await self._answer(error, mid, deadline_s, "the broker's heartbeat")
        except OSError:
            return False
        return True

    async def close(self, deadline_s: float) -> None:
        """Wait until all that was published is acknowledged, then leave in good order.

        What is not done by the deadline is left to `drop`.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while self._unacked and not self.lost.done():
                    self._all_acked.clear()
                    await self._all_acked.wait()
                self._client.disconnect()
                # Until DISCONNECT is on its way: a process that ends now takes the thread along.
                await asyncio.wait([self.lost])

    def drop(self) -> None:
        """Forget the connection at once, with everything still queued in it.

        Unless it was closed before, the broker hears no farewell and sends the will.
        """
        if not self.lost.done():
            self._line.cut()
        self._lose("given up")
        # What paho still has to tell interests nobody, and without these references the client,
        # its thread and its sockets are gone as soon as the thread sees the end of its socket.
        client = self._client
        client.on_connect = client.on_disconnect = client.on_message = None
        client.on_publish = client.on_subscribe = client.on_unsubscribe = None

    async def _answer(
        self, error: MQTTErrorCode, mid: int | None, deadline_s: float, what: str
    ) -> Sequence[ReasonCode]:
        if error != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise ConnectionError(f"{what}: not asked, paho says {error.name}")
        answer: asyncio.Future[Sequence[ReasonCode]] = self._loop.create_future()
        self._answers[mid] = answer
        try:
            async with _deadline(deadline_s, what):
                await _first_of(answer, self.lost)
        finally:
            self._answers.pop(mid, None)
        if not answer.done():
            raise ConnectionError(f"{what}: {self.lost.result()}")
        return answer.result()

    # --- called on paho's thread: hand over, and never raise -------------------------------------

    def _hand_over(self, action: Callable[[], None]) -> None:
        # A loop that is closed already has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(action)

    def _on_connect(
        self, _client: Client, _data: Any, _flags: ConnectFlags, code: ReasonCode, _p: Any
    ) -> None:
        self._hand_over(lambda: self._greet(code))

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: DisconnectFlags, code: ReasonCode, _p: Any
    ) -> None:
        # Else paho's own finding, "Unspecified error" for every socket that ended.
        told = flags.is_disconnect_packet_from_server or code != _UNSPECIFIED
        reason = str(code) if told else "the connection broke off"
        self._hand_over(lambda: self._lose(reason))

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        mid, qos = message.mid, message.qos

        def ack() -> None:
            client.ack(mid, qos)

        delivery = Delivery(message.topic, bytes(message.payload), bool(message.retain), ack)
        self._hand_over(lambda: self._deliver(delivery))

    def _on_publish(self, _client: Client, _data: Any, mid: int, _code: Any, _p: Any) -> None:
        self._hand_over(lambda: self._acked(mid))

    def _on_answer(
        self, _client: Client, _data: Any, mid: int, codes: Sequence[ReasonCode], _p: Any
    ) -> None:
        self._hand_over(lambda: self._answered(mid, codes))

    # --- back on the loop ------------------------------------------------------------------------

    def _greet(self, code: ReasonCode) -> None:
        if not self._connected.done():
            self._connected.set_result(code)

    def _lose(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)
            self._all_acked.set()

    def _deliver(self, delivery: Delivery) -> None:
        if self._held is not None:
            self._held.append(delivery)
        elif not self.lost.done():
            self._deliveries.put_nowait(delivery)

    def _acked(self, mid: int) -> None:
        self._unacked.discard(mid)
        if not self._unacked:
            self._all_acked.set()

    def _answered(self, mid: int, codes: Sequence[ReasonCode]) -> None:
        answer = self._answers.pop(mid, None)
        if answer is not None and not answer.done():
            answer.set_result(codes)


async def _first_of(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


@contextlib.asynccontextmanager
async def _deadline(seconds: float, what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds) as deadline:
            yield
    except TimeoutError as error:
        if not deadline.expired():
            raise  # the socket's own
        raise ConnectionError(f"{what}: nothing within {seconds:g} s") from error
