"""What a box reports: what it is, its state, and its events."""

from typing import Annotated

from pydantic import Field

from bigred_broker.button import EventType, Lid
from bigred_broker.messages.base import Amount, Count, Id, Message, Part, Text
from bigred_broker.messages.clock import ServerClock

ANSWER_DEADLINE_S = 2.0
"""How long a box waits for the reply to an event by default; then it says that nobody answered."""

MAX_ANSWER_DEADLINE_S = 30.0


class BoxInfo(Message):
    """`box/<box>/info`, retained: what this box is.

    `to_mend`: the problems its doctor found at the start; None if the doctor was not asked.
    """

    agent: Text
    python: Text = ""
    model: Text = ""
    button: Text = ""
    language: Text = ""
    capabilities: tuple[Text, ...] = ()
    to_mend: tuple[Text, ...] | None = None


class LightState(Part):
    """The lights of a box: whether they work, and which pattern they show."""

    healthy: bool
    pattern: Text = ""
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0


class VoiceState(Part):
    """The voice of a box: its engine ("" for none), and the last sentence it was asked to say."""

    healthy: bool
    engine: Text = ""
    said: Text = ""
    count: Count = 0


class BoxState(Message):
    """`box/<box>/state`, retained: the state of this box."""

    lid: Lid
    button_connected: bool
    lights: LightState
    voice: VoiceState


class BoxEvent(Message):
    """`box/<box>/event`, never retained, expires: something happened at the box just now.

    `id` is unique; a repeated event gets the same reply. `age_ms` is how long ago it happened, by
    the box's monotonic clock. A press carries the `arming` it answers. `clocks`: what the clock of
    each server that the box hears showed when it happened, never later than the truth;
    `answer_within_ms`: how long the box waits for the reply.
    """

    event_type: EventType
    id: Id
    seq: Count
    boot: Id
    age_ms: Amount = 0.0
    arming: Id | None = None
    clocks: Annotated[tuple[ServerClock, ...], Field(max_length=8)] = ()
    answer_within_ms: Annotated[float, Field(ge=0, le=MAX_ANSWER_DEADLINE_S * 1000)] = (
        ANSWER_DEADLINE_S * 1000
    )
