"""A look: what one observation of the fleet saw, as plain values."""

from collections.abc import Mapping
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
class Served:
    """What HAProxy counted at one node since its own start: answers, and errors among them.

    `retried`: attempts that failed there and were made again, there or elsewhere.
    """

    requests: int = 0
    errors: int = 0
    retried: int = 0


@dataclass(frozen=True)
class ServerLook:
    """One server of the pool, as one HAProxy or all of them together show it.

    `up`: HAProxy sends requests, or would if it were READY. `fresh`: HAProxy's own check passes
    fully by now; None when its settings give no way to tell. `in_flight`: requests running and
    queued there. `capacity`: how many it accepts at once, None for any number. `checks_disabled`:
    HAProxy was told not to check it. `partially_up`: one of several HAProxies sends it users, and
    another does not. `status` and `check`: HAProxy's own words, each HAProxy's where they differ.
    `trouble`: why the state is unknown.
    """

    admin: Admin = Admin.UNKNOWN
    up: bool = False
    fresh: bool | None = False
    in_flight: int = 0
    capacity: int | None = None
    checks_disabled: bool = False
    partially_up: bool = False
    served: Served = field(default_factory=Served)
    status: str = ""
    check: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class HostLook:
    """What lies and runs on a node, as its host, its Manager or both show it.

    `digest`: of the WAR that new users get, "" for none, None for unknown, UNKNOWN_DIGEST for one
    whose bytes can't be seen. `running`: whether Tomcat's process lives, None for unknown.
    `manifest`: of that WAR, empty where its bytes can't be seen. `kept`: digests of the releases
    kept on the node, None where none can be. `free`: bytes free for another. `versions`: all
    contexts of the app, None where nobody can list them. `trouble`: why something could not be
    seen, as a sentence that says what to do; "" when everything was.
    """

    digest: str | None = None
    running: bool | None = None
    manifest: Mapping[str, str] = field(default_factory=dict)
    kept: frozenset[str] | None = None
    free: int | None = None
    versions: tuple[Version, ...] | None = None
    trouble: str = ""


@dataclass(frozen=True)
class NodeLook:
    """One node, seen once: in the pool, on its host, and by its app's answer."""

    name: str
    pool: ServerLook = field(default_factory=ServerLook)
    host: HostLook = field(default_factory=HostLook)
    answer: Answer = field(default_factory=Answer)

    @property
    def trouble(self) -> str:
        """Why something could not be seen; "" when everything was."""
        return self.pool.trouble or self.host.trouble

    @property
    def sessions(self) -> int | None:
        """How many sessions the app has here, None where nobody counts them."""
        versions = self.host.versions
        return None if versions is None else sum(one.sessions for one in versions)


Looks = dict[str, NodeLook]


@dataclass(frozen=True)
class Counters:
    """What HAProxy's backend counted since HAProxy's start."""

    requests: int
    errors_5xx: int
    retried: int
