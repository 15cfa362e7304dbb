"""The actions: everything a rollout ever does to a node."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bigred_server.rollout.core.target import Target


class ActionKind(StrEnum):
    """What can be done to a node.

    FETCH copies the release to the node's kept releases while the node serves. DEPLOY makes the
    Manager replace the app, or add a version alongside it; UNDEPLOY makes it remove one version.
    CUT ends the requests still in flight on the node. ADMIT warms the node up, runs the smoke tests
    and sets DRAIN.
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


# While one of these runs on a node, HAProxy must send no request there.
OUT_OF_POOL = frozenset(
    {ActionKind.STOP, ActionKind.SWAP, ActionKind.START, ActionKind.DEPLOY, ActionKind.ADMIT}
)


@dataclass(frozen=True)
class Action:
    """One thing to do to one node, towards one target.

    `version`: the Tomcat version that DEPLOY creates or UNDEPLOY removes.
    """

    kind: ActionKind
    node: str
    target: Target
    version: str = ""


Busy = Mapping[str, ActionKind]
