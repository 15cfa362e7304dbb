"""Turns levels into events: pure, debounced, and never an unintended press.

A change counts at its first frame. Changes of the same contact within the refractory time count
as bouncing; if one still stands afterwards, it counts then. A press counts only if the lid has
been seen closed since the button was connected, was open before this frame, and the button was up
before: a button that is stuck, held while plugged in, or crushed by the lid fires nothing.
"""

from dataclasses import dataclass, replace

from bigred_agent.buttons.reading import Reading
from bigred_broker.button import EventType, Lid

_NEVER_S = float("-inf")


@dataclass(frozen=True)
class Timing:
    """How long contacts may bounce, and after how long a press becomes a hold."""

    refractory_s: float = 0.06
    hold_s: float = 3.0


@dataclass(frozen=True)
class Edges:
    """The state of a connected button. A new value stands for one that was not read yet.

    `pressed` is the contact itself; `announced_s` the time of its reported press.
    """

    lid: Lid = Lid.UNKNOWN
    pressed: bool = False
    closed_seen: bool = False
    announced_s: float | None = None
    hold_announced: bool = False
    lid_quiet_until_s: float = _NEVER_S
    button_quiet_until_s: float = _NEVER_S


Advance = tuple[Edges, tuple[EventType, ...]]


def advance(edges: Edges, reading: Reading, now_s: float, timing: Timing) -> Advance:
    """Process one reading; return the new state and the events in order."""
    if edges.lid is Lid.UNKNOWN:
        first = Edges(reading.lid, reading.pressed, closed_seen=reading.lid is Lid.CLOSED)
        return first, (EventType.BUTTON_FOUND,)
    was_open = edges.lid is Lid.OPEN
    edges, lid_events = _lid(edges, reading, now_s, timing)
    is_open = was_open and reading.lid is Lid.OPEN
    edges, button_events = _button(edges, reading, now_s, timing, may_press=is_open)
    if EventType.LID_CLOSE in lid_events and edges.announced_s is not None:
        # Slammed on the pressed button, which may stay down under it (0x14): counts as released.
        edges, button_events = _released(edges), (EventType.RELEASE,)
    # Events of the button come first: its release belongs before the closing of the lid.
    return edges, (*button_events, *lid_events)


def lost(edges: Edges) -> Advance:
    """Reset the state of a button that is gone."""
    if edges.lid is Lid.UNKNOWN:
        return Edges(), ()
    return Edges(), (EventType.BUTTON_LOST,)


def _lid(edges: Edges, reading: Reading, now_s: float, timing: Timing) -> Advance:
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
) -> Advance:
    if reading.pressed is edges.pressed or now_s < edges.button_quiet_until_s:
        return _held(edges, now_s, timing)
    edges = replace(
        edges, pressed=reading.pressed, button_quiet_until_s=now_s + timing.refractory_s
    )
    if not reading.pressed:
        if edges.announced_s is None:
            return edges, ()
        return _released(edges), (EventType.RELEASE,)
    if may_press and edges.closed_seen:
        return replace(edges, announced_s=now_s, hold_announced=False), (EventType.PRESS,)
    return edges, ()


def _held(edges: Edges, now_s: float, timing: Timing) -> Advance:
    if edges.announced_s is None or edges.hold_announced:
        return edges, ()
    if now_s - edges.announced_s < timing.hold_s:
        return edges, ()
    return replace(edges, hold_announced=True), (EventType.HOLD,)


def _released(edges: Edges) -> Edges:
    return replace(edges, announced_s=None, hold_announced=False)
