"""What the state machine wants done. The lights are no deed: they follow from the state."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigred_agent.phrases.phrase import Phrase, Value
from bigred_broker.messages import EventType


@dataclass(frozen=True)
class Publish:
    """Send an event now or never. `at_s` is the monotonic time at which it happened."""

    kind: EventType
    id: str
    seq: int
    at_s: float
    arming: str | None = None


@dataclass(frozen=True)
class Say:
    """Speak a phrase of the box's own."""

    phrase: Phrase
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class SayText:
    """Speak a sentence somebody sent."""

    text: str


Deed = Publish | Say | SayText
Deeds = tuple[Deed, ...]
