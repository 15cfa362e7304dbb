"""What the server reports about an app: its state and its events."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from bigred_broker.messages.base import Amount, Count, Digest, Encodable, Id, Message, Part, Text

MOST_TEXT = 2000
"""The most characters in the text of an event."""


class Phase(StrEnum):
    """The phase of a deployment; the last four are outcomes."""

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


class ChangeNote(Part):
    """A commit, for people."""

    commit: Text
    author: Text = ""
    message: Text = ""


class ReleaseNote(Part):
    """A release, for people.

    `changed`: how many commits it adds to the live release, if known; `authors` are those of the
    newest. `changes` lists the newest, but not in the state of an app, which stays small.
    """

    digest: Digest
    version: Text
    author: Text = ""
    message: Text = ""
    authors: tuple[Text, ...] = ()
    changes: tuple[ChangeNote, ...] = ()
    changed: Count = 0


class NodeState(StrEnum):
    """What a node is doing, in one word; `maint`: taken out of service, by a person or HAProxy."""

    SERVING = "serving"
    DRAINING = "draining"
    STOPPING = "stopping"
    SWAPPING = "swapping"
    STARTING = "starting"
    CHECKING = "checking"
    DOWN = "down"
    MAINT = "maint"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


class NodeNote(Part):
    """One node, for people."""

    name: Id
    state: NodeState
    release: Text = ""


class Progress(Part):
    """How many of the nodes in scope run the wanted release.

    `unit`: what is counted; `percent` if the deployment has no nodes.
    """

    done: Count
    total: Count
    unit: Text = "nodes"


class JudgementNote(Part):
    """The judge's verdict after a look, and the numbers behind it.

    `evidence`: the odds against chance that the new release is worse than the old one;
    `absolute`: that anything is wrong at all. `requests` and `failed` count the new release's
    requests, `requests_old` and `failed_old` the old one's over the same time.
    """

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
    """`app/<app>/state`, retained: the state of an app. `phase` is None before any deployment.

    `verdict` is the judge's verdict on a running deployment, `judgement` the numbers behind it.
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


class AppChanges(Message):
    """`app/<app>/changes`, retained: what the candidate of an app changes; empty without one.

    Only the newest changes are listed, but `changed` counts all.
    """

    app: Id
    digest: Digest | None = None
    version: Text = ""
    changes: tuple[ChangeNote, ...] = ()
    changed: Count = 0


class AppEventType(StrEnum):
    """The events of an app.

    BUILD: a submitted commit reached its next stage. CONSOLE: the latest output of Jenkins.
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

    `judgement` comes with a VERDICT, which follows every look of the judge.
    """

    event_type: AppEventType
    app: Id
    at: Text
    deployment: Id | None = None
    phase: Phase | None = None
    node: Id | None = None
    text: Annotated[Encodable, Field(max_length=MOST_TEXT)] = ""
    judgement: JudgementNote | None = None
