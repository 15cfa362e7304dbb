"""The acts: all that a rollout ever does to the world."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bigred_server.rollout.core.target import Target


class ActionKind(StrEnum):
    """What can be done to a node.

    FETCH brings the release to the node's kept ones, while it serves. DEPLOY has the Manager
    replace the app, or put a version beside it; UNDEPLOY has it take one version away. ADMIT warms
    the node up, runs the smoke tests and sets DRAIN.
    """

    FETCH = "fetch"
    DRAIN = "drain"
    MAINT = "maint"
    CUT = "cut"
    STOP = "stop"
    SWAP = "swap"
    START = "start"
    DEPLOY = "deploy"
    UNDEPLOY = "undeploy"
    ADMIT = "admit"
    READY = "ready"


# While one of these runs on a node, HAProxy must send nothing there.
HANDS_OFF = frozenset(
    {ActionKind.STOP, ActionKind.SWAP, ActionKind.START, ActionKind.DEPLOY, ActionKind.ADMIT}
)


@dataclass(frozen=True)
class Action:
    """One thing to do to one node, towards one goal.

    `version`: the one that DEPLOY makes or UNDEPLOY takes away, in Tomcat's word for it.
    """

    kind: ActionKind
    node: str
    target: Target
    version: str = ""


Busy = Mapping[str, ActionKind]
