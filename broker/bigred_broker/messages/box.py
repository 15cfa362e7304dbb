"""What a box tells: what it is, how it stands, and what happened there just now."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bigred_broker.messages.base import Amount, Count, Id, Message, Text


class BoxInfo(Message):
    """`box/<box>/info`, retained: what this box is.

    `to_mend`: what its doctor found ill when it started; None where it did not look.
    """

    agent: Text
    python: Text = ""
    model: Text = ""
    button: Text = ""
    language: Text = ""
    capabilities: tuple[Text, ...] = ()
    to_mend: tuple[Text, ...] | None = None


class Lid(StrEnum):
    """How the lid stands; unknown while no button is connected or none was seen yet."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class LightState(BaseModel):
    """The lights of a box: whether they work, and which pattern they show."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    healthy: bool
    pattern: Text = ""
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0


class VoiceState(BaseModel):
    """The voice of a box: which engine speaks ("" for none), and the last thing it was to say."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    healthy: bool
    engine: Text = ""
    said: Text = ""
    count: Count = 0


class BoxState(Message):
    """`box/<box>/state`, retained: how this box stands."""

    lid: Lid
    button_connected: bool
    lights: LightState
    voice: VoiceState


class EventType(StrEnum):
    """What can happen at a box."""

    LID_OPEN = "lid_open"
    LID_CLOSE = "lid_close"
    PRESS = "press"
    HOLD = "hold"
    RELEASE = "release"
    BUTTON_LOST = "button_lost"
    BUTTON_FOUND = "button_found"


class BoxEvent(Message):
    """`box/<box>/event`, never retained, expires: something happened at the box just now.

    `id` is made at the switch and unique; a repeat is answered as the first was. `age_ms` is how
    long ago it happened, by the box's monotonic clock. A press carries the `arming` it answers.
    """

    event_type: EventType
    id: Id
    seq: Count
    boot: Id
    age_ms: Amount = 0.0
    arming: Id | None = None
