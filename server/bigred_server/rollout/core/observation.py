"""A look: the result of one observation of the fleet, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Admin(StrEnum):
    """The administrative state of a server in HAProxy, regardless of its health.

    MIXED: several HAProxies have different states. UNKNOWN: one of them can't be read.
    """

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"
    MIXED = "mixed"
    UNKNOWN = "unknown"


class ServerRole(StrEnum):
    """Which users HAProxy sends to a server that is up.

    ACTIVE: its share of all. BACKUP: all of them, but only while no active server is up.
    UNWEIGHTED: those whose cookie names it; its weight is 0.
    """

    ACTIVE = "active"
    BACKUP = "backup"
    UNWEIGHTED = "unweighted"


class OutBecause(StrEnum):
    """Why a server is in MAINT or DRAIN.

    COMMANDED: through the Runtime API. DISABLED: its server line says so. FOLLOWED: the server that
    it tracks is. UNRESOLVED: HAProxy has no address for it.
    """

    COMMANDED = "commanded"
    DISABLED = "disabled"
    FOLLOWED = "followed"
    UNRESOLVED = "unresolved"


# The digest of a WAR whose bytes can't be read: only HTTP reaches the node.
UNKNOWN_DIGEST = "?"


@dataclass(frozen=True)
class Answer:
    """The app's answer on a node's own port. `came` is False if nothing answered at all."""

    came: bool = False
    ok: bool = False
    marker: str = ""
    text: str = "no answer"


@dataclass(frozen=True, order=True)
class Version:
    """One context of the app on a node; they sort so that Tomcat sends new users to the last one.

    `name`: Tomcat's version, "" for a context without one. `digest`: of its WAR, UNKNOWN_DIGEST if
    its bytes can't be read.
    """

    name: str
    digest: str = UNKNOWN_DIGEST
    running: bool = True
    sessions: int = 0


@dataclass(frozen=True)
class Served:
    """What HAProxy counted at one node since HAProxy's start: answers, and errors among them.

    `retried`: attempts that failed there and were retried, there or elsewhere.
    """

    requests: int = 0
    errors: int = 0
    retried: int = 0


@dataclass(frozen=True)
class ServerLook:
    """One server of the pool, as shown by one HAProxy or by all of them together.

    `up`: HAProxy sends it requests, or would if it were READY. `fresh`: HAProxy's check now passes
    fully; None if HAProxy's settings give no way to know. `in_flight`: requests running and queued
    there. `capacity`: how many requests it accepts at once, None for any number.
    `checks_disabled`: its health checks were disabled. `partially_up`: some HAProxies send it
    users, others do not. `status` and `check`: HAProxy's own words, those of each HAProxy if they
    differ. `problem`: why the state is unknown. `because`: why it is in MAINT or DRAIN. `backends`:
    whether it serves, by each backend that it is in.
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
    problem: str = ""
    role: ServerRole = ServerRole.ACTIVE
    because: OutBecause | None = None
    backends: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class HostLook:
    """What is installed and running on a node, as shown by its host, its Manager or both.

    `digest`: of the WAR that new users get, "" for none, None if unknown, UNKNOWN_DIGEST if its
    bytes can't be read. `running`: whether Tomcat's process runs, None if unknown. `manifest`: of
    that WAR, empty if its bytes can't be read. `kept`: digests of the releases kept on the node,
    None if the node can keep none. `free`: free bytes on its disk. `versions`: all contexts of the
    app, None if they can't be listed. `problem`: why something could not be read, as a sentence
    that says what to do; "" if everything was.
    """

    digest: str | None = None
    running: bool | None = None
    manifest: Mapping[str, str] = field(default_factory=dict)
    kept: frozenset[str] | None = None
    free: int | None = None
    versions: tuple[Version, ...] | None = None
    problem: str = ""


@dataclass(frozen=True)
class NodeLook:
    """One observation of a node: in the pool, on its host, and by its app's answer."""

    name: str
    pool: ServerLook = field(default_factory=ServerLook)
    host: HostLook = field(default_factory=HostLook)
    answer: Answer = field(default_factory=Answer)

    @property
    def problem(self) -> str:
        """Why something could not be read; "" if everything was."""
        return self.pool.problem or self.host.problem

    @property
    def sessions(self) -> int | None:
        """How many sessions the app has here, None if they can't be counted."""
        versions = self.host.versions
        return None if versions is None else sum(one.sessions for one in versions)


Looks = dict[str, NodeLook]


@dataclass(frozen=True)
class Coverage:
    """Whose requests are counted.

    `backends`: HAProxy's backends that are counted. `unmanaged`: backends with the same Tomcats
    that Bigred was told to leave alone; their users are not counted. `unit`: what is counted;
    HAProxy knows only connections where it does not speak HTTP.
    """

    backends: tuple[str, ...] = ()
    unmanaged: tuple[str, ...] = ()
    unit: str = "requests"


NOTHING_COUNTED = Coverage()


@dataclass(frozen=True)
class Counters:
    """The counters of HAProxy's backends since HAProxy's start."""

    requests: int
    errors_5xx: int
    retried: int


@dataclass(frozen=True)
class ProcessCounters:
    """What one HAProxy process has counted; `pid` distinguishes it from the ones before it."""

    pid: int
    counters: Counters
