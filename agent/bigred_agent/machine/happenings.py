"""Everything that can happen to a box: the inputs of its state machine."""

from dataclasses import dataclass

from bigred_agent.buttons.reading import ButtonEvent
from bigred_broker.link import LinkDown, LinkUp
from bigred_broker.messages import AppState, Reply, SetIdentify, SetLight, SetSay, Status


@dataclass(frozen=True)
class Tick:
    """Time passed; several times a second, so that no deadline is kept late."""


@dataclass(frozen=True)
class ServerIs:
    """What the server's retained status says."""

    status: Status


@dataclass(frozen=True)
class AppIs:
    """Where an app stands. `retained`: the broker had kept it, so it may be old news."""

    app: AppState
    retained: bool


@dataclass(frozen=True)
class AppIsGone:
    """An app was taken away."""

    app: str


Happening = (
    Tick
    | LinkUp
    | LinkDown
    | ServerIs
    | AppIs
    | AppIsGone
    | ButtonEvent
    | Reply
    | SetSay
    | SetLight
    | SetIdentify
)
