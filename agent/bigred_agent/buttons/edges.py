"""Levels become events: pure, debounced, and never a press that nobody meant.

A change counts at its first frame; whatever follows on the same contact within the refractory time
is bouncing and held back, and if it still stands afterwards it counts then. A press counts only if
the lid was seen closed since the button was connected, was open already before this frame, and the
button was up before: a button that is stuck, held while it is plugged in, or crushed by the lid
fires nothing.
"""

from dataclasses import dataclass, replace

from bigred_agent.buttons.reading import Reading
from bigred_broker.messages import EventType, Lid

_NEVER_S = float("-inf")


@dataclass(frozen=True)
class Timing:
    """How long contacts bounce, and from when on a press is a hold."""

    refractory_s: float = 0.06
    hold_s: float = 3.0


@dataclass(frozen=True)
class Edges:
    """What is known of a connected button. A fresh value is one that has shown nothing yet.

    `pressed` is the contact itself; `announced_s` the time of the press that was told of it.
    """

    lid: Lid = Lid.UNKNOWN
    pressed: bool = False
    closed_seen: bool = False
    announced_s: float | None = None
    hold_told: bool = False
    lid_quiet_until_s: float = _NEVER_S
    button_quiet_until_s: float = _NEVER_S


Outcome = tuple[Edges, tuple[EventType, ...]]


def advance(edges: Edges, reading: Reading, now_s: float, timing: Timing) -> Outcome:
    """Take one reading in; give what is known now, and the events in their order."""
    if edges.lid is Lid.UNKNOWN:
        first = Edges(reading.lid, reading.pressed, closed_seen=reading.lid is Lid.CLOSED)
        return first, (EventType.BUTTON_FOUND,)
    was_open = edges.lid is Lid.OPEN
    edges, lid_events = _lid(edges, reading, now_s, timing)
    is_open = was_open and reading.lid is Lid.OPEN
    edges, button_events = _button(edges, reading, now_s, timing, may_press=is_open)
    if EventType.LID_CLOSE in lid_events and edges.announced_s is not None:
        # Slammed on the pressed button, which may stay down below it (0x14): it is let go for us.
        edges, button_events = _let_go(edges), (EventType.RELEASE,)
    # What the button did comes first: its release belongs before the closing of the lid.
    return edges, (*button_events, *lid_events)


def lost(edges: Edges) -> Outcome:
    """The button is gone: all that was known of it is void."""
    if edges.lid is Lid.UNKNOWN:
        return Edges(), ()
    return Edges(), (EventType.BUTTON_LOST,)


def _lid(edges: Edges, reading: Reading, now_s: float, timing: Timing) -> Outcome:
    if reading.lid is edges.lid or now_s < edges.lid_quiet_until_s:
        return edges, ()
    edges = replace(
        edges,
        lid=reading.lid,
        closed_seen=edges.closed_seen or reading.lid is Lid.CLOSED,
        lid_quiet_until_s=now_s + timing.refractory_s,
    )
    if reading.lid is Lid.CLOSED:
        return edges, (EventType.LID_CLOSE,)
    return edges, (EventType.LID_OPEN,)


def _button(
    edges: Edges, reading: Reading, now_s: float, timing: Timing, *, may_press: bool
) -> Outcome:
    if reading.pressed is edges.pressed or now_s < edges.button_quiet_until_s:
        return _held(edges, now_s, timing)
    edges = replace(
        edges, pressed=reading.pressed, button_quiet_until_s=now_s + timing.refractory_s
    )
    if not reading.pressed:
        if edges.announced_s is None:
            return edges, ()
        return _let_go(edges), (EventType.RELEASE,)
    if may_press and edges.closed_seen:
        return replace(edges, announced_s=now_s, hold_told=False), (EventType.PRESS,)
    return edges, ()


def _held(edges: Edges, now_s: float, timing: Timing) -> Outcome:
    if edges.announced_s is None or edges.hold_told:
        return edges, ()
    if now_s - edges.announced_s < timing.hold_s:
        return edges, ()
    return replace(edges, hold_told=True), (EventType.HOLD,)


def _let_go(edges: Edges) -> Edges:
    return replace(edges, announced_s=None, hold_told=False)
