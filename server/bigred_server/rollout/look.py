"""A look: what one observation of the fleet saw, as plain values."""

from dataclasses import dataclass, field
from enum import StrEnum


class Admin(StrEnum):
    """What HAProxy was told about a server, whatever its health."""

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Answer:
    """What the app on a node's own port said. `came` is False when nothing answered at all."""

    came: bool = False
    ok: bool = False
    marker: str = ""
    text: str = "no answer"


@dataclass(frozen=True)
class NodeLook:
    """One node, seen once.

    `up`: HAProxy sends requests, or would if it were READY. `fresh`: HAProxy's own check passes
    fully by now; None when its settings give no way to tell. `in_flight`: requests running and
    queued there. `digest`: of the WAR in place, "" for none, None for unknown. `running`: whether
    Tomcat's process lives, None for unknown.
    """

    name: str
    admin: Admin = Admin.UNKNOWN
    up: bool = False
    fresh: bool | None = False
    in_flight: int = 0
    digest: str | None = None
    running: bool | None = None
    answer: Answer = field(default_factory=Answer)


Looks = dict[str, NodeLook]


@dataclass(frozen=True)
class Counters:
    """What HAProxy's backend counted since HAProxy's start."""

    requests: int
    errors_5xx: int
    retried: int
