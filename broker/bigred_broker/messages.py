"""The messages: what passes between box and server, as the table in the README says.

One JSON object per topic, numbers as numbers, `"v": 1`. Unknown keys are ignored, so that a newer
sender can say more; an unknown `v` is refused. `encode` and `decode` are the only way in and out.
"""

from enum import StrEnum
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bigred_broker.topics import ID_PATTERN

VERSION: Literal[1] = 1
MAX_BYTES = 16 * 1024
TOPIC_AND_PROPERTIES = 4 * 1024  # what a packet may have beside its payload

Id = Annotated[str, Field(pattern=ID_PATTERN)]
Text = Annotated[str, Field(max_length=500)]
# Whole numbers that JavaScript and every database can hold, and amounts that are numbers.
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class MessageError(ValueError):
    """What arrived is not a message of the expected kind; the text says why."""


class Status(StrEnum):
    """Whether a box or the server is there. Sent bare, not as JSON: what Home Assistant expects."""

    ONLINE = "online"
    OFFLINE = "offline"


class Message(BaseModel):
    """What every message has."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: Literal[1] = VERSION


class Phase(StrEnum):
    """Where a deployment stands; the last four are outcomes."""

    PREPARING = "preparing"
    CANARY = "canary"
    ROLLING = "rolling"
    BAKING = "baking"
    HOLDING = "holding"
    ROLLING_BACK = "rolling_back"
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"
    FAILED = "failed"

    @property
    def is_outcome(self) -> bool:
        """Whether a deployment in this phase has ended."""
        return self in OUTCOMES


OUTCOMES = frozenset({Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.ABORTED, Phase.FAILED})


class ReleaseNote(BaseModel):
    """A release as people speak of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    digest: Digest
    version: Text
    author: Text = ""
    message: Text = ""


# --- said by a box -------------------------------------------------------------------------------


class BoxInfo(Message):
    """`box/<box>/info`, retained: what this box is."""

    agent: Text
    python: Text = ""
    model: Text = ""
    button: Text = ""
    language: Text = ""
    capabilities: tuple[Text, ...] = ()


class Lid(StrEnum):
    """How the lid stands; unknown while no button is connected or none was seen yet."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class LightState(BaseModel):
    """The lights of a box: whether they work, and which pattern they show."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    healthy: bool
    pattern: Text = ""
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0


class VoiceState(BaseModel):
    """The voice of a box: which engine speaks ("" for none), and the last thing it was to say."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    healthy: bool
    engine: Text = ""
    said: Text = ""
    count: Count = 0


class BoxState(Message):
    """`box/<box>/state`, retained: how this box stands."""

    lid: Lid
    button_connected: bool
    lights: LightState
    voice: VoiceState


class EventType(StrEnum):
    """What can happen at a box."""

    LID_OPEN = "lid_open"
    LID_CLOSE = "lid_close"
    PRESS = "press"
    HOLD = "hold"
    RELEASE = "release"
    BUTTON_LOST = "button_lost"
    BUTTON_FOUND = "button_found"


class BoxEvent(Message):
    """`box/<box>/event`, never retained, expires: something happened at the box just now.

    `id` is made at the switch and unique; a repeat is answered as the first was. `age_ms` is how
    long ago it happened, by the box's monotonic clock. A press carries the `arming` it answers.
    """

    event_type: EventType
    id: Id
    seq: Count
    boot: Id
    age_ms: Amount = 0.0
    arming: Id | None = None


# --- said by the server --------------------------------------------------------------------------


class Answer(StrEnum):
    """What a box can be told about an event of its own."""

    ARMED = "armed"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class Refusal(StrEnum):
    """Why the server says no. The sentence beside it is for people; this is for programs."""

    NO_CANDIDATE = "no_candidate"
    RUNNING = "running"
    UNHEALTHY = "unhealthy"
    NOT_ALLOWED = "not_allowed"
    NO_ARMING = "no_arming"
    EXPIRED = "expired"
    USED = "used"
    STALE = "stale"
    BUSY = "busy"


class Reply(Message):
    """`box/<box>/reply`, never retained, expires: the answer to the event `id`."""

    id: Id
    answer: Answer
    app: Id | None = None
    release: ReleaseNote | None = None
    nodes: Count = 0
    arming: Id | None = None
    expires_in_s: Amount = 0.0
    deployment: Id | None = None
    countdown_s: Amount = 0.0
    code: Refusal | None = None
    reason: Text = ""


class NodeState(StrEnum):
    """What a node does at the moment, in one word."""

    SERVING = "serving"
    DRAINING = "draining"
    STOPPING = "stopping"
    SWAPPING = "swapping"
    STARTING = "starting"
    CHECKING = "checking"
    DOWN = "down"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


class NodeNote(BaseModel):
    """One node as people speak of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Id
    state: NodeState
    release: Text = ""


class Progress(BaseModel):
    """How many of the nodes in scope are on the wanted release."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    done: Count
    total: Count


class AppState(Message):
    """`app/<app>/state`, retained: where an app stands. `phase` is None before any deployment."""

    app: Id
    phase: Phase | None = None
    deployment: Id | None = None
    release: ReleaseNote | None = None
    live: ReleaseNote | None = None
    candidate: ReleaseNote | None = None
    progress: Progress | None = None
    nodes: tuple[NodeNote, ...] = ()
    who: Text = ""
    since: Text = ""
    reason: Text = ""
    verdict: Text | None = None


class AppEventType(StrEnum):
    """What can happen to an app."""

    PHASE = "phase"
    NODE = "node"
    ACT = "act"
    CANDIDATE = "candidate"
    FINDING = "finding"


class AppEvent(Message):
    """`app/<app>/event`, never retained: everything as it happens."""

    event_type: AppEventType
    app: Id
    at: Text
    deployment: Id | None = None
    phase: Phase | None = None
    node: Id | None = None
    text: Annotated[str, Field(max_length=2000)] = ""


# --- asked of a box ------------------------------------------------------------------------------


class SetSay(Message):
    """`box/<box>/set/say`: speak this sentence."""

    text: Text


class SetLight(Message):
    """`box/<box>/set/light`: show this pattern until the next change of state."""

    pattern: Id


class SetIdentify(Message):
    """`box/<box>/set/identify`: blink and speak, so that people find you."""


class SetConfig(Message):
    """`box/<box>/set/config`: change how the box speaks; what is left out stays as it is."""

    pack: Id | None = None
    muted: bool | None = None


M = TypeVar("M", bound=Message)


def encode(message: Message) -> bytes:
    """Give the bytes of a message. Raises MessageError when they are over the size limit."""
    data = message.model_dump_json(exclude_none=True).encode()
    if len(data) > MAX_BYTES:
        raise MessageError(
            f"{type(message).__name__} of {len(data)} bytes is over the limit of {MAX_BYTES}"
        )
    return data


def decode(model: type[M], data: bytes) -> M:
    """Read a message of the given kind. Raises MessageError, and nothing else, when it is none."""
    if len(data) > MAX_BYTES:
        raise MessageError(f"{len(data)} bytes are over the limit of {MAX_BYTES}")
    try:
        # Strictly: a number in quotes is no number, and "yes" is not true.
        return model.model_validate_json(data, strict=True)
    except (ValidationError, RecursionError) as error:
        raise MessageError(f"no {model.__name__}: {_brief(error)}") from error


def decode_status(data: bytes) -> Status:
    """Read a bare `online` or `offline`. Raises MessageError when it is neither."""
    try:
        return Status(data.decode("ascii"))
    except ValueError as error:
        raise MessageError(f"no status: {data[:40]!r}") from error


def _brief(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
