"""What a box knows. Immutable: each step makes a new one.

All times are of the monotonic clock, in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bigred_agent.lights.patterns import Pattern
from bigred_broker.messages import AppState, EventType, Lid, Phase, Status


@dataclass(frozen=True)
class Policy:
    """Every wait of the box, in seconds."""

    answer_deadline_s: float = 2.0
    outcome_light_s: float = 60.0
    # A neighbour that is away for a moment, as in a restart, is not talked about.
    settle_s: float = 2.0
    identify_s: float = 10.0
    # After an accepted press others are ignored: a button bounces, and so do people.
    quiet_after_press_s: float = 5.0
    # An accepted press shows as a deployment; if none is heard of within this, it does no more.
    first_state_deadline_s: float = 15.0


class Reach(StrEnum):
    """How far the box can be heard."""

    NOWHERE = "nowhere"
    BROKER = "broker"
    SERVER = "server"


@dataclass(frozen=True)
class Waiting:
    """An event whose answer is awaited. `arming` is what a press carried."""

    kind: EventType
    id: str
    sent_s: float
    arming: "Arming | None" = None


@dataclass(frozen=True)
class Arming:
    """The server's permission to fire once."""

    id: str
    app: str
    expires_s: float


@dataclass(frozen=True)
class Accepted:
    """A press of ours that was accepted and whose deployment was not heard of yet."""

    deployment: str
    until_s: float


@dataclass(frozen=True)
class Countdown:
    """The seconds before a deployment that are still to be spoken: `left` next, at `due_s`."""

    deployment: str | None
    left: int
    due_s: float


@dataclass(frozen=True)
class Known:
    """An app as last heard of. `told_done`: the highest count of finished nodes spoken of."""

    state: AppState
    told_done: int = 0


@dataclass(frozen=True)
class News:
    """An outcome that still shows in the lights."""

    pattern: Pattern
    until_s: float


@dataclass(frozen=True)
class Override:
    """A pattern somebody asked for, until what the box would show by itself changes from `base`."""

    pattern: Pattern
    base: Pattern


@dataclass(frozen=True)
class State:
    """All a box knows. `button` is None until its watcher has told anything."""

    box: str
    link_up: bool = False
    server: Status | None = None
    reach: Reach = Reach.NOWHERE
    reach_since_s: float = 0.0
    # What people believe: nothing is said about a box that comes up as it should.
    reach_told: Reach = Reach.SERVER
    button: bool | None = None
    button_missed: bool = False
    lid: Lid = Lid.UNKNOWN
    seq: int = 0
    # Whether the last press was published, and not yet that it was let go.
    press_told: bool = False
    waiting: Waiting | None = None
    arming: Arming | None = None
    accepted: Accepted | None = None
    fired_s: float | None = None
    countdown: Countdown | None = None
    apps: Mapping[str, Known] = field(default_factory=dict)
    news: News | None = None
    override: Override | None = None
    identify_until_s: float | None = None

    @property
    def connected(self) -> bool:
        """Whether an event would be heard by the server now."""
        return self.link_up and self.server is Status.ONLINE

    @property
    def is_armed(self) -> bool:
        """Whether the next press fires, or one has just asked to."""
        asked = self.waiting is not None and self.waiting.arming is not None
        return self.arming is not None or asked

    @property
    def running(self) -> AppState | None:
        """The deployment that runs, if any; one on hold before the others."""
        running = [
            known.state
            for known in self.apps.values()
            if known.state.phase is not None and not known.state.phase.is_outcome
        ]
        running.sort(key=lambda app: (app.phase is not Phase.HOLDING, app.app))
        return running[0] if running else None

    @property
    def is_deploying(self) -> bool:
        """Whether a deployment runs, or one of ours was accepted a moment ago."""
        return self.running is not None or self.accepted is not None
