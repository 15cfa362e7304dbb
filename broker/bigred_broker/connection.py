"""One MQTT 5 connection over paho, from CONNECT until it is lost; it is never reused.

paho runs a network thread. Its callbacks only pass what they report to the asyncio loop and never
raise: an exception there would kill the thread while `is_connected()` still returns True.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any  # paho's user data and flags are untyped

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from bigred_broker.messages import MAX_BYTES, TOPIC_AND_PROPERTIES, Status
from bigred_broker.pinging import PingingClient
from bigred_broker.settings import BrokerSettings
from bigred_broker.transport import Transport
from bigred_broker.waiting import deadline, first_of

log = structlog.get_logger(__name__)

KEEPALIVE_S = 15
_QOS = 1
_UNSPECIFIED = 0x80
FILTERS_A_PACKET = 100  # of about 60 bytes: a broker may refuse large packets
_FEW = 10  # messages: what is published next is not kept waiting by them
_RECEIVE_MAXIMUM = 1000  # messages the broker may send us before the first is acknowledged


class NotConnectedError(ConnectionError):
    """Nothing was sent, because there is no connection to the broker."""


class RefusedError(ConnectionError):
    """The broker refused the connection; `code` is its reason code."""

    def __init__(self, code: ReasonCode) -> None:
        super().__init__(f"the broker refused: {code}")
        self.code: int = code.value


@dataclass(frozen=True)
class Delivery:
    """A received message. `ack` it once it is handled; until then the broker keeps it.

    `expiry_s`: when it expires, as the broker passes it on.
    """

    topic: str
    payload: bytes
    retained: bool
    ack: Callable[[], None] = field(compare=False)
    expiry_s: int | None = None


class Connection:
    """A single connection; `lost` resolves to the reason when it ends.

    `admits`: whether to pass on a message with this topic; called on the network thread.
    `inspect` is called with every delivery, also with those of topics that are only watched.
    `resumed`: whether the broker had kept our session, with its subscriptions.
    `denied`: why the broker refused the last message that it did not accept, "" if it never did.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        name: str,
        status_topic: str,
        session_expiry_s: int,
        deliveries: "asyncio.Queue[Any]",
        *,
        hold: bool = False,
        admits: Callable[[str], bool] = lambda _topic: True,
        inspect: Callable[[Delivery], None] = lambda _delivery: None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._admits = admits
        self._broker = broker
        self._session_expiry_s = session_expiry_s
        self._deliveries = deliveries
        self._held: list[Delivery] | None = [] if hold else None
        self._inspect = inspect
        self._watched: set[str] = set()
        self._watching: dict[int, Sequence[str]] = {}
        self._connected: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._answers: dict[int, asyncio.Future[Sequence[ReasonCode]]] = {}
        self._pings: list[asyncio.Future[None]] = []
        self._unacked: set[int] = set()
        self._heard_s = 0.0
        self._few_unacked = asyncio.Event()
        self.denied = ""
        self.resumed = False
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._transport = Transport()
        self._client = self._make_client(name, status_topic)

    def _make_client(self, name: str, status_topic: str) -> PingingClient:
        client = PingingClient(
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
        client.on_socket_open = self._transport.opened
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_answer
        client.on_ping_answer = self._on_ping_answer
        return client

    async def open(self, deadline_s: float) -> None:
        """Connect and wait for the broker to accept. Raises OSError with the broker's reason."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._session_expiry_s
        properties.ReceiveMaximum = _RECEIVE_MAXIMUM
        properties.MaximumPacketSize = MAX_BYTES + TOPIC_AND_PROPERTIES
        async with deadline(deadline_s, "the broker's answer to CONNECT"):
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
                # An invalid host name: empty, or with a label of more than 63 letters.
                raise ConnectionError(
                    f"{self._broker.host!r} is not a valid host name: {error}"
                ) from error
            self._client.loop_start()
            await first_of(self._connected, self.lost)
        if not self._connected.done():
            raise ConnectionError(self.lost.result())
        if self._connected.result().is_failure:
            raise RefusedError(self._connected.result())

    async def subscribe(
        self,
        topics: Sequence[str],
        deadline_s: float,
        *,
        qos: int = _QOS,
        as_published: bool = False,
        retained: bool = True,
    ) -> None:
        """Subscribe and wait for the answer. Raises OSError if a subscription is refused.

        `as_published`: live messages also report whether they were sent to be retained.
        `retained`: whether to receive the retained messages, ours included.
        """
        handling = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
        if not retained:
            handling = SubscribeOptions.RETAIN_DO_NOT_SEND
        options = SubscribeOptions(qos=qos, retainAsPublished=as_published, retainHandling=handling)
        for start in range(0, len(topics), FILTERS_A_PACKET):
            await self._subscribe(topics[start : start + FILTERS_A_PACKET], options, deadline_s)

    async def fetch(self, topics: Sequence[str], deadline_s: float) -> None:
        """Receive what is retained on these exact topics, soon after the broker has answered.

        Raises OSError if the broker refuses it.
        """
        await self.subscribe(topics, deadline_s, qos=0)
        self.unsubscribe(topics)

    async def _subscribe(
        self, topics: Sequence[str], options: SubscribeOptions, deadline_s: float
    ) -> None:
        error, mid = self._client.subscribe([(topic, options) for topic in topics])
        codes = await self._answer(error, mid, deadline_s, "the broker's answer to SUBSCRIBE")
        for topic, code in zip(topics, codes, strict=False):
            if code.is_failure:
                raise ConnectionError(f"the broker refused the subscription to {topic}: {code}")

    def unsubscribe(self, topics: Sequence[str]) -> None:
        """Unsubscribe; without waiting, since some brokers never answer."""
        for start in range(0, len(topics), FILTERS_A_PACKET):
            self._client.unsubscribe(list(topics[start : start + FILTERS_A_PACKET]))

    def watches(self, topic: str) -> bool:
        """Return whether a topic is watched."""
        return topic in self._watched

    def watch(self, new: Sequence[str]) -> None:
        """Have `inspect` called with what others publish on topics, and nothing else done with it.

        Not what is retained there, or what we publish, if the broker knows these options of MQTT 5.
        A broker that refuses it is no fault.
        """
        # Never queued while we are away: everything is published again on a new connection.
        options = SubscribeOptions(
            qos=0, noLocal=True, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND
        )
        for start in range(0, len(new), FILTERS_A_PACKET):
            some = new[start : start + FILTERS_A_PACKET]
            _, mid = self._client.subscribe([(topic, options) for topic in some])
            self._watched.update(some)
            if mid is not None:
                self._watching[mid] = some

    def unwatch(self, topic: str) -> None:
        """Stop watching a topic."""
        if topic in self._watched:
            self._watched.remove(topic)
            self.unsubscribe([topic])

    def begin(self) -> None:
        """Pass on deliveries from now on, those held back first, if it was made to `hold` them.

        Messages of the session come before SUBSCRIBE is even sent, retained ones with its answer.
        """
        held, self._held = self._held or [], None
        for delivery in held:
            self._deliver(delivery)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_s: int | None = None,
        qos: int = _QOS,
    ) -> None:
        """Pass a message to the network thread. Raises NotConnectedError if it has ended."""
        sent = self._client.publish(topic, payload, qos, retain, _expiring(expiry_s))
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise NotConnectedError(f"{topic}: not sent; paho reports {sent.rc.name}")
        self._unacked.add(sent.mid)

    async def room(self) -> None:
        """Wait until few messages wait for their acknowledgement, or the connection is lost."""
        while len(self._unacked) > _FEW and not self.lost.done():
            self._few_unacked.clear()
            await self._few_unacked.wait()

    async def answers(self, deadline_s: float) -> bool:
        """Send the broker a PINGREQ; return whether it answered or sent anything else in time."""
        begun_s = time.monotonic()
        if self.lost.done() or self._client.ping() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        answer: asyncio.Future[None] = self._loop.create_future()
        self._pings.append(answer)
        try:
            async with deadline(deadline_s, "the broker's answer to PINGREQ"):
                await first_of(answer, self.lost)
        except OSError:
            # The answer may be behind thousands of messages.
            return self._heard_s > begun_s
        finally:
            if answer in self._pings:
                self._pings.remove(answer)
        return answer.done()

    async def close(self, deadline_s: float) -> None:
        """Wait until every publish is acknowledged, then disconnect cleanly.

        `drop` ends whatever is left at the deadline.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while self._unacked and not self.lost.done():
                    self._few_unacked.clear()
                    await self._few_unacked.wait()
                self._client.disconnect()
                # Wait until DISCONNECT is sent: if the process ends now, so does the thread.
                await asyncio.wait([self.lost])

    def drop(self) -> None:
        """Drop the connection at once, with everything still queued in it.

        Unless it was closed before, the broker sees no DISCONNECT and sends the will.
        """
        if not self.lost.done():
            self._transport.cut()
        self._lose("dropped")
        # Later callbacks are of no interest, and without these references the client, its thread
        # and its sockets are freed as soon as the thread sees the end of its socket.
        client = self._client
        client.on_connect = client.on_disconnect = client.on_message = None
        client.on_publish = client.on_subscribe = client.on_ping_answer = None

    async def _answer(
        self, error: MQTTErrorCode, mid: int | None, deadline_s: float, what: str
    ) -> Sequence[ReasonCode]:
        if error != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise ConnectionError(f"{what}: not requested; paho reports {error.name}")
        answer: asyncio.Future[Sequence[ReasonCode]] = self._loop.create_future()
        self._answers[mid] = answer
        try:
            async with deadline(deadline_s, what):
                await first_of(answer, self.lost)
        finally:
            self._answers.pop(mid, None)
        if not answer.done():
            raise ConnectionError(f"{what}: {self.lost.result()}")
        return answer.result()

    # --- called on paho's thread: pass on, and never raise ---------------------------------------

    def _call_on_loop(self, action: Callable[[], None]) -> None:
        # Once the loop is closed, nobody is interested any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(action)

    def _on_connect(
        self, _client: Client, _data: Any, flags: ConnectFlags, code: ReasonCode, _p: Any
    ) -> None:
        self._call_on_loop(lambda: self._greet(code, resumed=flags.session_present))

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: DisconnectFlags, code: ReasonCode, _p: Any
    ) -> None:
        # Otherwise the code is paho's own: "Unspecified error" for every socket that ended.
        has_reason = flags.is_disconnect_packet_from_server or code != _UNSPECIFIED
        reason = str(code) if has_reason else "the connection broke off"
        self._call_on_loop(lambda: self._lose(reason))

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        mid, qos = message.mid, message.qos
        self._heard_s = time.monotonic()
        if not self._admits(message.topic):
            client.ack(mid, qos)
            return

        def ack() -> None:
            client.ack(mid, qos)

        expiry_s = getattr(message.properties, "MessageExpiryInterval", None)
        retained = bool(message.retain)
        delivery = Delivery(message.topic, bytes(message.payload), retained, ack, expiry_s)
        self._call_on_loop(lambda: self._deliver(delivery))

    def _on_publish(self, _client: Client, _data: Any, mid: int, code: ReasonCode, _p: Any) -> None:
        denied = str(code) if code.is_failure else ""
        self._call_on_loop(lambda: self._acked(mid, denied))

    def _on_answer(
        self, _client: Client, _data: Any, mid: int, codes: Sequence[ReasonCode], _p: Any
    ) -> None:
        self._call_on_loop(lambda: self._answered(mid, codes))

    def _on_ping_answer(self) -> None:
        self._call_on_loop(self._ping_answered)

    # --- back on the loop ------------------------------------------------------------------------

    def _greet(self, code: ReasonCode, *, resumed: bool) -> None:
        self.resumed = resumed
        if not self._connected.done():
            self._connected.set_result(code)

    def _lose(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)
            self._few_unacked.set()

    def _deliver(self, delivery: Delivery) -> None:
        if self._held is not None:
            self._held.append(delivery)
        elif not self.lost.done():
            self._inspect(delivery)
            if delivery.topic not in self._watched:
                self._deliveries.put_nowait(delivery)

    def _acked(self, mid: int, denied: str) -> None:
        if denied and denied != self.denied:
            self.denied = denied
            log.warning("the broker refused a message", reason=denied)
        self._unacked.discard(mid)
        if len(self._unacked) <= _FEW:
            self._few_unacked.set()

    def _ping_answered(self) -> None:
        # Any answer shows that the broker is alive, also a late one.
        for answer in self._pings:
            if not answer.done():
                answer.set_result(None)

    def _answered(self, mid: int, codes: Sequence[ReasonCode]) -> None:
        for topic, code in zip(self._watching.pop(mid, ()), codes, strict=False):
            if code.is_failure:
                log.info("the broker does not let us read our own topic", topic=topic)
        answer = self._answers.pop(mid, None)
        if answer is not None and not answer.done():
            answer.set_result(codes)


@functools.cache
def _expiring(after_s: int | None) -> Properties | None:
    """Return the properties of a message: to make them takes as long as to send it."""
    if after_s is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = after_s
    return properties
