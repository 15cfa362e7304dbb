"""The acts: all that a rollout ever does to the world."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bigred_server.rollout.deployment import Goal


class Kind(StrEnum):
    """What can be done to a node. ADMIT warms it up, runs the smoke tests and sets DRAIN."""

    DRAIN = "drain"
    MAINT = "maint"
    CUT = "cut"
    STOP = "stop"
    SWAP = "swap"
    START = "start"
    ADMIT = "admit"
    READY = "ready"


# While one of these runs on a node, HAProxy must send nothing there.
HANDS_OFF = frozenset({Kind.STOP, Kind.SWAP, Kind.START, Kind.ADMIT})


@dataclass(frozen=True)
class Act:
    """One thing to do to one node, towards one goal."""

    kind: Kind
    node: str
    goal: Goal


Busy = Mapping[str, Kind]
