"""How the actions of a simulated rollout go, and how long they take."""

from dataclasses import dataclass
from enum import StrEnum

from bigred_server.rollout.core.action import Action


class Luck(StrEnum):
    """How an action goes.

    FAILS: it has no effect. LOST: it takes effect, but its answer is lost. LIES: it has no effect,
    but reports success.
    """

    WELL = "well"
    FAILS = "fails"
    LOST = "lost"
    LIES = "lies"


class ActionFate(StrEnum):
    """What becomes of an action if the reconciler dies while it is running."""

    DONE = "done"
    LOST = "lost"
    GOES_ON = "goes_on"


@dataclass(frozen=True)
class RunningAction:
    """An action that was begun, and when it will end (seconds of the fleet's clock)."""

    action: Action
    until_s: float
    luck: Luck


@dataclass
class VirtualClock:
    """A clock in seconds that only its owner advances."""

    now_s: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s
