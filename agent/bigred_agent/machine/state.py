"""The state of a box. Immutable: each step makes a new one.

All times are monotonic, in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bigred_agent.lights.patterns import Pattern
from bigred_broker.messages import (
    ANSWER_DEADLINE_S,
    AppState,
    EventType,
    Lid,
    Phase,
    Status,
)


@dataclass(frozen=True)
class Policy:
    """Every time limit of the box, in seconds."""

    answer_deadline_s: float = ANSWER_DEADLINE_S
    outcome_light_s: float = 60.0
    # A short outage, such as a restart, is not announced.
    settle_s: float = 2.0
    identify_s: float = 10.0
    # After an accepted press further ones are ignored: buttons bounce, and so do people.
    quiet_after_press_s: float = 5.0
    # An accepted press shows as a deployment until its first state arrives, or this has passed.
    first_state_deadline_s: float = 15.0
    # When the box has stood still, nobody can tell how old an event is that it sees right after.
    unsure_after_resuming_s: float = 0.5


class Connectivity(StrEnum):
    """How far the box gets: nowhere, to the broker, or to the server."""

    NONE = "none"
    BROKER = "broker"
    SERVER = "server"


@dataclass(frozen=True)
class Pending:
    """An event that awaits its reply. `arming` is the arming that a press carried."""

    kind: EventType
    id: str
    sent_s: float
    arming: "Arming | None" = None


@dataclass(frozen=True)
class Arming:
    """The server's one-time permission to fire."""

    id: str
    app: str
    expires_s: float


@dataclass(frozen=True)
class Accepted:
    """An accepted press of this box whose deployment has not reported its state yet."""

    deployment: str
    until_s: float


@dataclass(frozen=True)
class Countdown:
    """The countdown to a deployment: the number `left` is spoken next, at `due_s`."""

    deployment: str | None
    left: int
    due_s: float


@dataclass(frozen=True)
class TrackedApp:
    """The last known state of an app. `announced_done`: the highest node count announced."""

    state: AppState
    announced_done: int = 0


@dataclass(frozen=True)
class RecentOutcome:
    """An outcome that the lights still show."""

    pattern: Pattern
    until_s: float


@dataclass(frozen=True)
class Override:
    """A requested pattern; it shows until the box's own pattern changes from `base`."""

    pattern: Pattern
    base: Pattern


@dataclass(frozen=True)
class State:
    """The whole state of a box. `button` is None until the button was found or missed."""

    box: str
    link_up: bool = False
    server: Status | None = None
    connectivity: Connectivity = Connectivity.NONE
    connectivity_since_s: float = 0.0
    # What people assume: a box that starts normally announces nothing.
    announced_connectivity: Connectivity = Connectivity.SERVER
    button: bool | None = None
    button_missed: bool = False
    lid: Lid = Lid.UNKNOWN
    seq: int = 0
    # Whether the last press was published, and its release not yet.
    press_published: bool = False
    pending: Pending | None = None
    arming: Arming | None = None
    accepted: Accepted | None = None
    fired_s: float | None = None
    # Until then, an event of the button may be older than it seems.
    unsure_until_s: float | None = None
    countdown: Countdown | None = None
    apps: Mapping[str, TrackedApp] = field(default_factory=dict)
    recent_outcome: RecentOutcome | None = None
    override: Override | None = None
    identify_until_s: float | None = None

    @property
    def connected(self) -> bool:
        """Whether an event would reach the server now."""
        return self.link_up and self.server is Status.ONLINE

    @property
    def is_armed(self) -> bool:
        """Whether the next press fires, or an armed press awaits its reply."""
        fired = self.pending is not None and self.pending.arming is not None
        return self.arming is not None or fired

    @property
    def running(self) -> AppState | None:
        """The running deployment, if any; one on hold comes first."""
        running = [
            known.state
            for known in self.apps.values()
            if known.state.phase is not None and not known.state.phase.is_outcome
        ]
        running.sort(key=lambda app: (app.phase is not Phase.HOLDING, app.app))
        return running[0] if running else None

    @property
    def is_deploying(self) -> bool:
        """Whether a deployment runs, or a press of this box was accepted a moment ago."""
        return self.running is not None or self.accepted is not None
