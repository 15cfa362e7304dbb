"""A look: what one observation of the fleet saw, as plain values."""

from dataclasses import dataclass, field
from enum import StrEnum


class Admin(StrEnum):
    """What HAProxy was told about a server, whatever its health.

    MIXED: several HAProxies were told different things. UNKNOWN: one of them can't be read.
    """

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"
    MIXED = "mixed"
    UNKNOWN = "unknown"


# The digest of a WAR whose bytes can't be seen: only HTTP reaches the node.
UNKNOWN_DIGEST = "?"


@dataclass(frozen=True)
class Answer:
    """What the app on a node's own port said. `came` is False when nothing answered at all."""

    came: bool = False
    ok: bool = False
    marker: str = ""
    text: str = "no answer"


@dataclass(frozen=True, order=True)
class Version:
    """One context of the app on a node, in the order in which Tomcat prefers them (the last one).

    `name`: Tomcat's version, "" for a context without one. `digest`: of its WAR, UNTOLD where that
    can't be seen.
    """

    name: str
    digest: str = UNKNOWN_DIGEST
    running: bool = True
    sessions: int = 0


@dataclass(frozen=True)
class NodeLook:
    """One node, seen once.

    `up`: HAProxy sends requests, or would if it were READY. `partly`: one of several HAProxies
    sends it users, and another does not. `fresh`: HAProxy's own check passes fully by now; None
    when its settings give no way to tell. `hushed`: HAProxy was told not to check. `in_flight`:
    requests running and queued there. `capacity`: how many it takes at once, None for any number.
    `digest`: of the WAR that new users get, "" for none, None for unknown, UNTOLD for one whose
    bytes can't be seen. `running`: whether Tomcat's process lives, None for unknown. `kept`:
    digests of the releases kept on the node, None where none can be. `free`: bytes free for
    another. `versions`: all contexts of the app, None where nobody tells. `sessions`: of all of
    them. `trouble`: why something could not be seen.
    """

    name: str
    admin: Admin = Admin.UNKNOWN
    up: bool = False
    fresh: bool | None = False
    in_flight: int = 0
    digest: str | None = None
    running: bool | None = None
    answer: Answer = field(default_factory=Answer)
    checks_disabled: bool = False
    partially_up: bool = False
    capacity: int | None = None
    kept: frozenset[str] | None = None
    free: int | None = None
    versions: tuple[Version, ...] | None = None
    trouble: str = ""

    @property
    def sessions(self) -> int | None:
        """How many sessions the app has here."""
        return None if self.versions is None else sum(one.sessions for one in self.versions)


Looks = dict[str, NodeLook]


@dataclass(frozen=True)
class Served:
    """What HAProxy counted at one node since its own start: answers, and errors among them.

    `retried`: attempts that failed there and were made again, there or elsewhere.
    """

    requests: int = 0
    errors: int = 0
    retried: int = 0


@dataclass(frozen=True)
class Counters:
    """What HAProxy's backend counted since HAProxy's start."""

    requests: int
    errors_5xx: int
    retried: int
