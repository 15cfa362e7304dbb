"""The events of one source that wait while another one is answered. Pure.

However many events a box sends, few of them wait: what it does now counts, not what it did before.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from bigred_broker.messages import BoxEvent, EventType

ANSWERED = frozenset({EventType.LID_OPEN, EventType.LID_CLOSE, EventType.PRESS, EventType.HOLD})
"""The events that have an effect on the server."""

MOST = 16


@dataclass(frozen=True)
class WaitingEvent:
    """An event of a box; `done` is called once it was answered, or needs no answer any more."""

    box: str
    event: BoxEvent
    done: Callable[[], None] = field(default=lambda: None, compare=False)

    @property
    def is_stop(self) -> bool:
        """Whether it is a press or a hold that is about a running deployment."""
        is_press = self.kind is EventType.PRESS and self.event.arming is None
        return is_press or self.kind is EventType.HOLD

    @property
    def kind(self) -> EventType:
        """The kind of the event."""
        return self.event.event_type


@dataclass(frozen=True)
class WaitingEvents:
    """At most one event of each kind of a box, in the order of their arrival.

    The newest wins: a lid that opened again needs one arming, one that closed needs none, and a box
    presses again only after it has given up the press before. A lid that closed before it opened
    again still ends a countdown. Of many boxes, those that have waited longest give way.
    """

    events: tuple[WaitingEvent, ...] = ()

    def add(self, new: WaitingEvent) -> tuple["WaitingEvents", tuple[WaitingEvent, ...]]:
        """Return what waits now, and what nobody needs to answer any more."""
        over = {new.kind}
        if new.kind is EventType.LID_CLOSE:
            over.add(EventType.LID_OPEN)
        kept = [one for one in self.events if one.box != new.box or one.kind not in over]
        dropped = [one for one in self.events if one.box == new.box and one.kind in over]
        crowd = max(0, len(kept) + 1 - MOST)
        return WaitingEvents((*kept[crowd:], new)), (*dropped, *kept[:crowd])

    def take(self) -> tuple[WaitingEvent, "WaitingEvents"]:
        """Return the event to answer next, and what still waits. Raise IndexError if none does."""
        return self.events[0], WaitingEvents(self.events[1:])
