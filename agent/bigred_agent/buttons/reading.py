"""What a button shows at one moment, and the protocol all kinds of buttons speak."""

from dataclasses import dataclass
from typing import Protocol

from bigred_broker.messages import EventType, Lid


@dataclass(frozen=True)
class Reading:
    """The levels at one moment. `lid` is OPEN or CLOSED, never UNKNOWN."""

    lid: Lid
    pressed: bool


@dataclass(frozen=True)
class ButtonEvent:
    """Something happened at the button.

    `id` is unique, made here at the switch. `at_s` is the monotonic clock at the reading that
    showed it. `lid` is how the lid stands now. `reason` is a sentence, for BUTTON_LOST only.
    """

    kind: EventType
    id: str
    at_s: float
    lid: Lid
    reason: str = ""


class Button(Protocol):
    """One kind of button. Used by a single thread; every call returns within 0.5 s."""

    @property
    def name(self) -> str:
        """What it is, for people."""

    def open(self) -> None:
        """Get hold of it. Raises ButtonError with a sentence when that can't be."""

    def read(self) -> Reading | None:
        """Ask for the levels; None is no news. Raises ButtonError when it is gone."""

    def close(self) -> None:
        """Give it back. Never raises; closing what is not open is fine."""
