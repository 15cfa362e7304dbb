"""The effects a box can have. The lights are not among them: they follow from the state."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigred_agent.phrases.phrase import Phrase, Value
from bigred_broker.button import EventType


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
    """Speak one of the box's own phrases."""

    phrase: Phrase
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class SayText:
    """Speak a sentence sent to the box."""

    text: str


Effect = Publish | Say | SayText
Effects = tuple[Effect, ...]
