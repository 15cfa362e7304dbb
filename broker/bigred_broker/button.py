"""The events of a button and the position of its lid. Plain values, which need no pydantic."""

from enum import StrEnum


class Lid(StrEnum):
    """The position of the lid; unknown until a connected button has reported it."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class EventType(StrEnum):
    """The events of a button."""

    LID_OPEN = "lid_open"
    LID_CLOSE = "lid_close"
    PRESS = "press"
    HOLD = "hold"
    RELEASE = "release"
    BUTTON_LOST = "button_lost"
    BUTTON_FOUND = "button_found"
