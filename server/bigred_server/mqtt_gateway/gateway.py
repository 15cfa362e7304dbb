"""The server's MQTT gateway: it receives messages from boxes, and publishes replies and state.

Several servers may share a broker and receive the same messages. The server that leads an app
publishes for it and for the boxes that fire it; the others only listen, to be ready to take over.
"""

import asyncio
import contextlib
import itertools
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping

import structlog

from bigred_broker import homeassistant
from bigred_broker.admission import Bucket
from bigred_broker.connection import Delivery, NotConnectedError
from bigred_broker.faults import Faults
from bigred_broker.link import Link
from bigred_broker.link_status import LinkUp
from bigred_broker.messages import (
    AppEvent,
    AppEventType,
    AppState,
    Beacon,
    BoxEvent,
    BoxInfo,
    MessageError,
    Reply,
    Status,
    decode,
    encode,
)
from bigred_broker.topics import Topics
from bigred_server.journal.leadership import Leadership
from bigred_server.model.timestamp import utc
from bigred_server.mqtt_gateway.beacons import Beacons
from bigred_server.mqtt_gateway.box_intake import BoxIntake
from bigred_server.mqtt_gateway.census import Census
from bigred_server.mqtt_gateway.floods import Floods
from bigred_server.mqtt_gateway.owned_topics import OwnedTopics
from bigred_server.requests.inbox import Inbox
from bigred_server.requests.presses import Presses
from bigred_server.settings import Settings

log = structlog.get_logger(__name__)

_EXPIRY_S = 5
# A press sent just before the server died is delivered to its successor, which answers it.
_SESSION_EXPIRY_S = 30
# A hundred boxes that come back together cause a few repetitions, not a hundred.
_REPEAT_S = 0.5
# Each box receives a repetition: ten thousand that come back must not receive many.
_REPEATS_PER_S = 2000
# So many messages are handled before anybody else has a turn.
_IN_A_ROW = 10
_OVERWRITTEN = (
    "others published on {topic} ({count} times); the server published its own message again; "
    "allow only the server to write there, in the broker's ACL"
)


class MqttGateway:
    """The server's end of the MQTT link. Run `run()` as a task."""

    def __init__(self, settings: Settings, leads: Mapping[str, Leadership], run: str) -> None:
        self._settings = settings
        self._topics = Topics(settings.broker.prefix)
        self._owned = OwnedTopics(self._topics, settings.boxes, leads)
        self._intake = BoxIntake(
            self._topics,
            settings.boxes,
            (self._topics.server_get, homeassistant.BIRTH_TOPIC),
            lambda source: self._floods.begun(source),
        )
        self._link = Link(
            settings.broker,
            settings.server.name,
            self._topics.server_status,
            session_expiry_s=_SESSION_EXPIRY_S,
            # Ignore a press published as retained, even when it is delivered live.
            as_published=True,
            may_publish=self._owned.may_publish,
            on_overwritten=self._report_overwritten,
            intake=self._intake,
        )
        self._floods = Floods(
            settings.broker, settings.boxes, self._link.take_dropped, self._publish_finding
        )
        self._beacons = Beacons(run, self._send_beacon, len(settings.boxes))
        self._census = Census(
            settings.boxes, self._topics, self._link.fetch, self._owned.infos.__contains__
        )
        self._faults = Faults()
        self._asked_again = asyncio.Event()
        # A box that moves its lid all day long is no reason to fill the disk.
        self._log_lines = defaultdict[str, Bucket](lambda: Bucket(per_s=0.3, burst=20.0))
        # A box that comes online needs no announcement to Home Assistant.
        self._home_assistant_asked = False

    async def run(self, presses: Presses) -> None:
        """Receive and answer messages until cancelled."""
        async with asyncio.TaskGroup() as tasks, self._answering(presses) as inbox:
            tasks.create_task(self._link.run())
            tasks.create_task(self._repeat())
            tasks.create_task(self._beacons.run())
            tasks.create_task(self._floods.run())
            tasks.create_task(self._census.run())
            for number in itertools.count():
                event = await self._link.events.get()
                if isinstance(event, Delivery):
                    self._receive(event, inbox)
                elif isinstance(event, LinkUp):
                    log.info("connected to the broker")
                    self._beacons.want()
                    self._census.connected()
                if number % _IN_A_ROW == 0:
                    # While there are messages, `get` never lets others run.
                    await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def _answering(self, presses: Presses) -> AsyncIterator[Inbox]:
        """Answer events while the block runs."""

        async def answer(box: str, event: BoxEvent) -> None:
            reply = await presses.answer(box, event)
            if reply is not None:
                if self._log_lines[self._intake.source_of_box(box)].take(time.monotonic()):
                    log.info("answered", box=box, happened=event.event_type, answer=reply.answer)
                clocked = reply.model_copy(update={"clock": self._beacons.clock()})
                self._send(self._topics.box(box, "reply"), clocked)

        inbox = Inbox(answer)
        try:
            yield inbox
        finally:
            await inbox.close()

    def publish_event(self, event: AppEvent) -> None:
        """Publish an event of an app, if this server leads the app."""
        if self._owned.leads_app(event.app):
            self._send(self._topics.app(event.app, "event"), event)

    def keep_state(self, state: AppState) -> None:
        """Publish the state of an app as retained, if this server leads the app."""
        self._owned.keep_state(self._link, state)

    def _report_overwritten(self, topic: str, count: int) -> None:
        """Publish a finding; a single message on our status is what another server's end is."""
        if topic != self._topics.server_status:
            apps = [self._owned.app_of(topic)]
        else:
            apps = list(self._settings.apps) if count > 1 else []
        text = _OVERWRITTEN.format(topic=topic, count=count)
        for app in apps:
            self._publish_finding(app, text)

    def _publish_finding(self, app: str, text: str) -> None:
        kind = AppEventType.FINDING
        self.publish_event(AppEvent(event_type=kind, app=app, at=utc(time.time()), text=text))

    async def _repeat(self) -> None:
        """Publish all retained messages again when somebody asks, for many who ask at once."""
        while True:
            await self._asked_again.wait()
            self._asked_again.clear()
            everything, self._home_assistant_asked = self._home_assistant_asked, False
            self._link.repeat(self._owned.to_repeat(everything=everything))
            await asyncio.sleep(max(_REPEAT_S, len(self._settings.boxes) / _REPEATS_PER_S))

    def _send_beacon(self, beacon: Beacon) -> None:
        with contextlib.suppress(NotConnectedError):
            # The next one follows soon: none of them is worth an acknowledgement by every box.
            self._link.publish(
                self._topics.server_beacon, encode(beacon), expiry_s=_EXPIRY_S, qos=0
            )

    def _receive(self, delivery: Delivery, inbox: Inbox) -> None:
        """Handle one message of any kind; acknowledge it once its answer is written."""
        try:
            if self._dispatch(delivery, inbox):
                return
        except MessageError as error:
            source = self._intake.source_of(delivery.topic)
            if self._faults.count(source, time.monotonic()):
                log.warning("malformed message", topic=delivery.topic, error=str(error))
        except Exception:
            # The outermost edge of one message: the next one must still be handled.
            log.exception("can't handle a message", topic=delivery.topic)
        delivery.ack()

    def _dispatch(self, delivery: Delivery, inbox: Inbox) -> bool:
        """Handle one message; return whether the inbox acknowledges it. Raise MessageError."""
        if homeassistant.is_birth(delivery.topic, delivery.payload):
            self._home_assistant_asked = True
            self._asked_again.set()
            return False
        match self._topics.parse(delivery.topic):
            case ("box", box, "event") if not delivery.retained and self._leads_box(box):
                event = decode(BoxEvent, delivery.payload)
                inbox.put(self._intake.source_of_box(box), box, event, delivery.ack)
                return True
            case ("box", box, "info") if box in self._settings.boxes:
                self._owned.infos[box] = decode(BoxInfo, delivery.payload)
                self._owned.announce(self._link, box)
            case ("box", box, "status") if delivery.payload == Status.ONLINE.value.encode():
                # Some brokers send no retained messages for a subscription with wildcards.
                self._asked_again.set()
                self._beacons.want()
                self._census.came(box)
            case ("server", "get") if not delivery.retained:
                self._asked_again.set()
        return False

    def _send(self, topic: str, message: Reply | AppEvent) -> None:
        # Drop it while disconnected: it would be of no use later.
        with contextlib.suppress(NotConnectedError):
            self._link.publish(topic, encode(message), expiry_s=_EXPIRY_S)

    def _leads_box(self, box: str) -> bool:
        """Return whether this server answers a box; for an unknown box, who leads the first app."""
        settings = self._settings.boxes.get(box)
        return self._owned.leads_app(settings.app if settings else next(iter(self._settings.apps)))
