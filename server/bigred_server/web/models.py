"""What the HTTP API gives and takes, as JSON. Times are UTC, as ISO 8601 with milliseconds."""

from collections.abc import Mapping
from typing import Annotated, Any  # receipts are JSON

from pydantic import BaseModel, ConfigDict, Field

from bigred_broker.messages import Phase
from bigred_server.journal.events import EventRecord
from bigred_server.model.action_record import ActionRecord
from bigred_server.model.build import Build
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.hold_reason import HeldFor
from bigred_server.model.release import Release, Stage
from bigred_server.model.timestamp import utc

Versions = Mapping[tuple[str, str], str]


class Shown(BaseModel):
    """What is given."""

    model_config = ConfigDict(frozen=True)


class Asked(BaseModel):
    """What is taken: nothing that is not known, so that a slip is told and not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ErrorBody(Shown):
    """Why not, as a sentence."""

    error: str


class Apps(Shown):
    """The names of the apps."""

    apps: list[str]


class ReleaseShown(Shown):
    """A release; `kept`: its WAR is in the store still, so that it can be deployed."""

    app: str
    version: str
    digest: str
    stage: Stage
    size: int
    submitted_at: str
    commit: str
    author: str
    message: str
    kept: bool

    @classmethod
    def of(cls, release: Release, *, kept: bool) -> "ReleaseShown":
        """Show a release."""
        fields = {name: getattr(release, name) for name in cls.model_fields if name != "kept"}
        return cls(**{**fields, "submitted_at": utc(release.submitted_at), "kept": kept})


class DeploymentShown(Shown):
    """A deployment; `mends`: the one node that it is about, `command`: what was asked of it last.

    A `command` that has been taken up shows no more. `held_for`: why it is or was held.
    `judgement`: what the judge said last, None where there is none.
    """

    id: str
    app: str
    digest: str
    version: str | None
    previous: str | None
    takes_back: str | None
    who: str
    phase: Phase
    reason: str
    nodes: list[str]
    skipped: list[str]
    set_aside: list[str]
    mends: str | None
    command: Command | None
    commanded_by: str
    held_for: HeldFor | None
    judgement: dict[str, Any] | None
    started_at: str
    ended_at: str | None

    @classmethod
    def of(cls, record: DeploymentRecord, versions: Versions) -> "DeploymentShown":
        """Show a deployment; `versions` by app and digest."""
        return cls(**_deployment(record, versions))


class EventShown(Shown):
    """What happened, as a sentence."""

    at: str
    kind: str
    node: str | None
    text: str


class ActShown(Shown):
    """One act on a node, or a hook where the node is ""."""

    node: str
    kind: str
    digest: str
    begun_at: str
    ended_at: str | None
    outcome: str | None
    evidence: str
    sessions: int | None
    token: int


class WholeDeployment(DeploymentShown):
    """A deployment with all that happened, and its receipt once it has ended."""

    events: list[EventShown]
    acts: list[ActShown]
    receipt: dict[str, Any] | None

    @classmethod
    def whole(
        cls,
        record: DeploymentRecord,
        versions: Versions,
        events: list[EventRecord],
        acts: list[ActionRecord],
    ) -> "WholeDeployment":
        """Show all of a deployment."""
        return cls(
            **_deployment(record, versions),
            events=[EventShown(**{**_known(EventShown, e), "at": utc(e.at)}) for e in events],
            acts=[
                ActShown(
                    **{
                        **_known(ActShown, action),
                        "begun_at": utc(action.begun_at),
                        "ended_at": utc(action.ended_at) if action.ended_at else None,
                    }
                )
                for action in acts
            ],
            receipt=record.receipt,
        )


class BuildShown(Shown):
    """A build: a commit that was handed in, and where it stands; `digest` of its release."""

    id: str
    number: int
    app: str
    commit: str
    branch: str
    who: str
    stage: Stage
    test: str
    reason: str
    author: str
    message: str
    version: str
    digest: str | None
    handed_in_at: str
    started_at: str | None
    ended_at: str | None

    @classmethod
    def of(cls, build: Build) -> "BuildShown":
        """Show a build."""
        return cls(
            **{
                **_known(cls, build),
                "handed_in_at": utc(build.handed_in_at),
                "started_at": utc(build.started_at) if build.started_at else None,
                "ended_at": utc(build.ended_at) if build.ended_at else None,
            }
        )


class CommitIn(Asked):
    """The newest commit of a branch, just pushed, and by whom."""

    branch: Annotated[str, Field(min_length=1, max_length=200)]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")]
    who: Annotated[str, Field(max_length=64)] = ""


class Commits(Asked):
    """What was pushed, the oldest first."""

    commits: Annotated[list[CommitIn], Field(min_length=1, max_length=100)]


class SubmittedBuilds(Shown):
    """What was made of it, and the same as a sentence."""

    builds: list[BuildShown]
    text: str


class DeployRequest(Asked):
    """What is to be deployed: a version, or the newest ready release."""

    version: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class CommandRequest(Asked):
    """What is asked of the running deployment; a rollback may be asked without one."""

    command: Command


def _deployment(record: DeploymentRecord, versions: Versions) -> dict[str, Any]:
    return {
        **_known(DeploymentShown, record),
        "version": versions.get((record.app, record.digest)),
        "started_at": utc(record.started_at),
        "ended_at": utc(record.ended_at) if record.ended_at else None,
    }


def _known(model: type[Shown], value: object) -> dict[str, Any]:
    return {name: getattr(value, name) for name in model.model_fields if hasattr(value, name)}
