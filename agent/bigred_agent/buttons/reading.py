"""The readings and events of a button, and the protocol of all kinds of buttons."""

from dataclasses import dataclass
from typing import Protocol

from bigred_broker.button import EventType, Lid


@dataclass(frozen=True)
class Reading:
    """The levels of both contacts. `lid` is OPEN or CLOSED, never UNKNOWN."""

    lid: Lid
    pressed: bool


@dataclass(frozen=True)
class ButtonEvent:
    """An event of the button.

    `id` is unique. `at_s` is the monotonic time of the reading that showed it, or
    of the one before if nobody read for a while: it happened then at the earliest. `lid` is the
    current position of the lid. `reason` is a sentence, for BUTTON_LOST only.
    """

    kind: EventType
    id: str
    at_s: float
    lid: Lid
    reason: str = ""


class Button(Protocol):
    """A kind of button. Used by a single thread; every call returns within 0.5 s."""

    @property
    def name(self) -> str:
        """Its name, for people."""

    def open(self) -> None:
        """Open it. Raises ButtonError with a sentence if that fails."""

    def read(self) -> Reading | None:
        """Read the levels; None if there is no valid answer. Raises ButtonError if it is gone."""

    def close(self) -> None:
        """Close it. Never raises, even if it is not open."""
