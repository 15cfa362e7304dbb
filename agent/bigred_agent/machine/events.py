"""The inputs of the state machine."""

from dataclasses import dataclass

from bigred_agent.buttons.reading import ButtonEvent
from bigred_broker.link_status import LinkDown, LinkUp
from bigred_broker.messages import AppState, Reply, SetIdentify, SetLight, SetSay, Status


@dataclass(frozen=True)
class Tick:
    """Time has passed. It comes several times a second, so that deadlines are kept on time."""


@dataclass(frozen=True)
class Resumed:
    """The box itself had stood still for longer than people wait for an answer."""


@dataclass(frozen=True)
class ServerStatus:
    """The server's retained status."""

    status: Status


@dataclass(frozen=True)
class AppUpdate:
    """The state of an app. `retained`: the broker had stored it, so it may be old news."""

    app: AppState
    retained: bool


@dataclass(frozen=True)
class AppRemoved:
    """An app was removed."""

    app: str


Event = (
    Tick
    | Resumed
    | LinkUp
    | LinkDown
    | ServerStatus
    | AppUpdate
    | AppRemoved
    | ButtonEvent
    | Reply
    | SetSay
    | SetLight
    | SetIdentify
)
