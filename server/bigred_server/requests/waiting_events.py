"""The events of one box that wait while another one is answered. Pure.

However many events a box sends, few of them wait: what it does now counts, not what it did before.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from bigred_broker.messages import BoxEvent, EventType

ANSWERED = frozenset({EventType.LID_OPEN, EventType.LID_CLOSE, EventType.PRESS, EventType.HOLD})
"""The events that have an effect on the server."""


@dataclass(frozen=True)
class WaitingEvent:
    """An event of a box; `done` is called once it was answered, or needs no answer any more."""

    box: str
    event: BoxEvent
    done: Callable[[], None] = field(default=lambda: None, compare=False)

    @property
    def kind(self) -> EventType:
        """The kind of the event."""
        return self.event.event_type


@dataclass(frozen=True)
class WaitingEvents:
    """At most one event of each kind, in the order of their arrival.

    The newest lid wins: opened again, it needs one arming; closed, it needs none. A lid that closed
    before it opened again still ends a countdown. The first press wins: those after it are bounces.
    """

    events: tuple[WaitingEvent, ...] = ()

    def add(self, new: WaitingEvent) -> tuple["WaitingEvents", tuple[WaitingEvent, ...]]:
        """Return what waits now, and what nobody needs to answer any more."""
        if new.kind is EventType.PRESS and any(one.kind is new.kind for one in self.events):
            return self, (new,)
        over = {new.kind}
        if new.kind is EventType.LID_CLOSE:
            over.add(EventType.LID_OPEN)
        kept = tuple(one for one in self.events if one.kind not in over)
        dropped = tuple(one for one in self.events if one.kind in over)
        return WaitingEvents((*kept, new)), dropped

    def take(self) -> tuple[WaitingEvent, "WaitingEvents"]:
        """Return the event to answer next, and what still waits. Raise IndexError if none does."""
        return self.events[0], WaitingEvents(self.events[1:])
