"""The light patterns as plain values: colours and a rhythm for each.

Rhythms alone tell the patterns apart, so nobody needs to see colours. LEDs are only switched on
and off: software PWM flickers on a busy Pi (gpiozero #641).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Colour(StrEnum):
    """The eight colours of an RGB LED without dimming."""

    OFF = "off"
    RED = "red"
    GREEN = "green"
    BLUE = "blue"
    YELLOW = "yellow"
    CYAN = "cyan"
    MAGENTA = "magenta"
    WHITE = "white"

    @property
    def channels(self) -> tuple[bool, bool, bool]:
        """Whether red, green and blue are on."""
        return _CHANNELS[self]


_CHANNELS: dict["Colour", tuple[bool, bool, bool]] = {
    Colour.OFF: (False, False, False),
    Colour.RED: (True, False, False),
    Colour.GREEN: (False, True, False),
    Colour.BLUE: (False, False, True),
    Colour.YELLOW: (True, True, False),
    Colour.CYAN: (False, True, True),
    Colour.MAGENTA: (True, False, True),
    Colour.WHITE: (True, True, True),
}


class Pattern(StrEnum):
    """The names of the patterns, as in the box's retained state."""

    OFFLINE = "offline"
    IDLE = "idle"
    CANDIDATE = "candidate"
    ARMED = "armed"
    DEPLOYING = "deploying"
    HOLDING = "holding"
    ROLLED_BACK = "rolled_back"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    BUTTON_LOST = "button_lost"
    IDENTIFY = "identify"


Step = tuple[Colour, float]  # a colour and for how many seconds
Steps = Sequence[Step]
Patterns = Mapping[Pattern, Steps]


@dataclass(frozen=True)
class Light:
    """A pattern, and the lit share of the progress bar, from 0 to 1."""

    pattern: Pattern
    progress: float = 0.0


def blinks(colour: Colour, times: int, lit_s: float, pause_s: float) -> tuple[Step, ...]:
    """Return a group of equal blinks followed by a pause."""
    pair: tuple[Step, ...] = ((colour, lit_s), (Colour.OFF, lit_s))
    return pair * (times - 1) + ((colour, lit_s), (Colour.OFF, pause_s))


DEFAULT_PATTERNS: Patterns = {
    Pattern.OFFLINE: blinks(Colour.RED, 1, 0.1, 2.9),
    Pattern.IDLE: ((Colour.GREEN, 1.0),),
    Pattern.CANDIDATE: blinks(Colour.CYAN, 2, 0.15, 1.55),
    Pattern.ARMED: blinks(Colour.RED, 1, 0.2, 0.2),
    Pattern.DEPLOYING: blinks(Colour.BLUE, 1, 0.8, 0.8),
    Pattern.HOLDING: blinks(Colour.YELLOW, 1, 1.5, 0.5),
    Pattern.ROLLED_BACK: blinks(Colour.YELLOW, 3, 0.2, 1.2),
    Pattern.SUCCEEDED: blinks(Colour.GREEN, 1, 3.0, 0.3),
    Pattern.FAILED: (*blinks(Colour.RED, 1, 1.0, 0.3), *blinks(Colour.RED, 1, 0.2, 0.3)),
    Pattern.BUTTON_LOST: blinks(Colour.MAGENTA, 4, 0.12, 1.2),
    Pattern.IDENTIFY: blinks(Colour.WHITE, 1, 0.07, 0.07),
}


def rhythm(steps: Steps) -> tuple[tuple[bool, float], ...]:
    """Return a pattern without its colours: lit or not, and for how long."""
    merged: list[tuple[bool, float]] = []
    for colour, seconds in steps:
        lit = colour is not Colour.OFF
        if merged and merged[-1][0] is lit:
            merged[-1] = (lit, merged[-1][1] + seconds)
        else:
            merged.append((lit, seconds))
    # A light that never changes has no duration.
    return tuple(merged) if len(merged) > 1 else tuple((lit, 0.0) for lit, _ in merged)


def alike(patterns: Patterns) -> list[tuple[Pattern, Pattern]]:
    """List the pairs of patterns that differ only in their colours."""
    names = sorted(patterns)
    return [
        (one, other)
        for at, one in enumerate(names)
        for other in names[at + 1 :]
        if rhythm(patterns[one]) == rhythm(patterns[other])
    ]


def bar(progress: float, length: int) -> tuple[bool, ...]:
    """Return which LEDs of a progress bar are lit; the last one only at 1."""
    lit = int(min(max(progress, 0.0), 1.0) * length + 1e-9)
    return tuple(at < lit for at in range(length))
