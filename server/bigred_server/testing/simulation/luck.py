"""How the acts of a simulated rollout go, and how long they take."""

from dataclasses import dataclass
from enum import StrEnum

from bigred_server.rollout.core.action import Action


class Luck(StrEnum):
    """How an act goes.

    FAILS: not at all. LOST: as told, and its answer is lost. LIES: not at all, and says done.
    """

    WELL = "well"
    FAILS = "fails"
    LOST = "lost"
    LIES = "lies"


class ActionFate(StrEnum):
    """What becomes of an act when the controller dies while it runs."""

    DONE = "done"
    LOST = "lost"
    GOES_ON = "goes_on"


@dataclass(frozen=True)
class RunningAction:
    """An act that was begun, and when (seconds of the fleet's clock) it will have ended."""

    action: Action
    until_s: float
    luck: Luck


@dataclass
class VirtualClock:
    """Seconds that pass when somebody says so."""

    now_s: float = 0.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now_s
