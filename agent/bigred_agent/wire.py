"""Turns the broker's deliveries into events of the box, and counts malformed ones.

Retained replies and commands are refused: somebody set the flag by mistake, and every reconnect
would repeat them (Tasmota calls it "ghost switching").
"""

import time
from dataclasses import dataclass, field

import structlog

from bigred_agent.machine.events import AppRemoved, AppUpdate, Event, ServerStatus
from bigred_broker.admission import Limits
from bigred_broker.connection import Delivery
from bigred_broker.faults import Faults
from bigred_broker.intake import FilterIntake
from bigred_broker.messages import (
    AppState,
    Beacon,
    MessageError,
    Reply,
    SetConfig,
    SetIdentify,
    SetLight,
    SetSay,
    decode,
    decode_status,
)
from bigred_broker.topics import Topics

log = structlog.get_logger(__name__)

_COMMANDS: dict[tuple[str, ...], type[Reply | SetSay | SetLight | SetIdentify | SetConfig]] = {
    ("reply",): Reply,
    ("set", "say"): SetSay,
    ("set", "light"): SetLight,
    ("set", "identify"): SetIdentify,
    ("set", "config"): SetConfig,
}


# Hundreds of apps report twice a second while they are deployed.
_APPS = Limits(per_s=1000.0, burst=4000.0, flood=8000.0)


def intake(topics: Topics, box: str) -> FilterIntake:
    """Return what a box subscribes to. Whatever floods it is muted for a while."""
    subscriptions = (
        topics.box(box, "reply"),
        topics.every_set(box),
        topics.server_status,
        topics.server_beacon,
        topics.every_app_state,
    )
    return FilterIntake(subscriptions, {topics.every_app_state: _APPS}, _report_flood)


def _report_flood(subscription: str) -> None:
    log.warning("too many messages; ignoring them for a minute", topic=subscription)


@dataclass
class Decoder:
    """Decodes the deliveries to one box."""

    topics: Topics
    box: str
    faults: Faults = field(default_factory=Faults)

    def decode(self, delivery: Delivery) -> Event | Beacon | SetConfig | None:
        """Return what a delivery contains; None if it is malformed."""
        try:
            return self._decode(delivery)
        except MessageError as error:
            if self.faults.count(delivery.topic, time.monotonic()):
                log.warning(
                    "malformed message",
                    topic=delivery.topic,
                    reason=str(error),
                    malformed_so_far=self.faults.total,
                )
            return None

    def _decode(self, delivery: Delivery) -> Event | Beacon | SetConfig:
        match self.topics.parse(delivery.topic):
            case ("server", "status"):
                return ServerStatus(decode_status(delivery.payload))
            case ("server", "beacon"):
                if delivery.retained:
                    raise MessageError("a beacon must not be retained")
                return decode(Beacon, delivery.payload)
            case ("app", app, "state"):
                return self._app(delivery, app)
            case ("box", self.box, *leaf) if model := _COMMANDS.get(tuple(leaf)):
                if delivery.retained:
                    raise MessageError("a command or reply must not be retained")
                return decode(model, delivery.payload or b"{}")
        raise MessageError("not a topic for this box")

    def _app(self, delivery: Delivery, app: str) -> AppUpdate | AppRemoved:
        if not delivery.payload:
            return AppRemoved(app)
        state = decode(AppState, delivery.payload)
        if state.app != app:
            raise MessageError(f"the state of app {state.app!r} on the topic of {app!r}")
        return AppUpdate(state, delivery.retained)
