"""What the server tells of an app: where it stands, and what happens to it."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bigred_broker.messages.base import Amount, Count, Digest, Id, Message, Text

MOST_TEXT = 2000
"""As many characters as the text of an event may have."""


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


class ChangeNote(BaseModel):
    """A commit as people speak of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    commit: Text
    author: Text = ""
    message: Text = ""


class ReleaseNote(BaseModel):
    """A release as people speak of it.

    `changes`: the commits that it has and the live one has not, where that is known; of many only
    the newest, and `changed` counts them all.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    digest: Digest
    version: Text
    author: Text = ""
    message: Text = ""
    changes: tuple[ChangeNote, ...] = ()
    changed: Count = 0


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
    """How many of the nodes in scope are on the wanted release.

    `unit`: what is counted, `percent` where no nodes are.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    done: Count
    total: Count
    unit: Text = "nodes"


class JudgementNote(BaseModel):
    """What the judge says after a look, and the numbers it goes by.

    `evidence`: how much speaks against the new release beside the old one, as odds against chance;
    `absolute`: against there being nothing wrong at all. `requests` and `failed` are the new
    release's, `requests_old` and `failed_old` the old one's at the same time.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    verdict: Text
    cause: Text = ""
    reason: Text = ""
    evidence: Amount = 1.0
    absolute: Amount = 1.0
    requests: Count = 0
    failed: Count = 0
    requests_old: Count = 0
    failed_old: Count = 0


class AppState(Message):
    """`app/<app>/state`, retained: where an app stands. `phase` is None before any deployment.

    `verdict` is the judge's word in a running deployment, `judgement` what stands behind it.
    """

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
    judgement: JudgementNote | None = None


class AppEventType(StrEnum):
    """What can happen to an app.

    BUILD: a commit that was handed in came a stage further. CONSOLE: what Jenkins printed last.
    """

    PHASE = "phase"
    NODE = "node"
    ACT = "act"
    CANDIDATE = "candidate"
    BUILD = "build"
    CONSOLE = "console"
    FINDING = "finding"
    VERDICT = "verdict"


class AppEvent(Message):
    """`app/<app>/event`, never retained: everything as it happens.

    `judgement` goes with a VERDICT: one comes with every look of the judge.
    """

    event_type: AppEventType
    app: Id
    at: Text
    deployment: Id | None = None
    phase: Phase | None = None
    node: Id | None = None
    text: Annotated[str, Field(max_length=MOST_TEXT)] = ""
    judgement: JudgementNote | None = None
