"""The JSON bodies of the HTTP API. Times are UTC, in ISO 8601 with milliseconds."""

from typing import Annotated, Any  # receipts are JSON

from pydantic import BaseModel, ConfigDict, Field

from bigred_broker.messages import Phase
from bigred_server.model.action_record import ActionRecord
from bigred_server.model.build import Build
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.event_record import EventRecord
from bigred_server.model.hold_reason import HeldFor
from bigred_server.model.release import Release, Stage, VersionsByDigest
from bigred_server.model.timestamp import utc


class ResponseBody(BaseModel):
    """The body of a response."""

    model_config = ConfigDict(frozen=True)


class RequestBody(BaseModel):
    """The body of a request; unknown keys are refused, so that a typo is not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ErrorBody(ResponseBody):
    """The reason for an error, as a sentence."""

    error: str


class Apps(ResponseBody):
    """The names of the apps."""

    apps: list[str]


class ReleaseShown(ResponseBody):
    """A release. `kept`: its WAR is still in the store, so it can be deployed."""

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
        """Return the body for a release."""
        fields = {name: getattr(release, name) for name in cls.model_fields if name != "kept"}
        return cls(**{**fields, "submitted_at": utc(release.submitted_at), "kept": kept})


class DeploymentShown(ResponseBody):
    """A deployment. `mends`: the node that it repairs, None if it is about the whole app.

    `command`: the last command, until the server acts on it. `held_for`: why it is or was held.
    `judgement`: the judge's latest verdict, None if there is none.
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
    def of(cls, record: DeploymentRecord, versions: VersionsByDigest) -> "DeploymentShown":
        """Return the body for a deployment; `versions`: by app and digest."""
        return cls(**_deployment(record, versions))


class EventShown(ResponseBody):
    """An event of a deployment, with a sentence that describes it."""

    at: str
    kind: str
    node: str | None
    text: str


class ActShown(ResponseBody):
    """One act on a node, or a hook if `node` is ""."""

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
    """A deployment with its events and acts, and its receipt once it has ended."""

    events: list[EventShown]
    acts: list[ActShown]
    receipt: dict[str, Any] | None

    @classmethod
    def whole(
        cls,
        record: DeploymentRecord,
        versions: VersionsByDigest,
        events: list[EventRecord],
        acts: list[ActionRecord],
    ) -> "WholeDeployment":
        """Return the body for a deployment with all its details."""
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


class BuildShown(ResponseBody):
    """A build: a submitted commit and its stage. `digest`: of the release that it made."""

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
        """Return the body for a build."""
        return cls(
            **{
                **_known(cls, build),
                "handed_in_at": utc(build.handed_in_at),
                "started_at": utc(build.started_at) if build.started_at else None,
                "ended_at": utc(build.ended_at) if build.ended_at else None,
            }
        )


class CommitIn(RequestBody):
    """The new head commit of a branch, and who pushed it."""

    branch: Annotated[str, Field(min_length=1, max_length=200)]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")]
    who: Annotated[str, Field(max_length=64)] = ""


class Commits(RequestBody):
    """The pushed commits, oldest first."""

    commits: Annotated[list[CommitIn], Field(min_length=1, max_length=100)]


class SubmittedBuilds(ResponseBody):
    """The builds of the submitted commits, and a sentence that describes them."""

    builds: list[BuildShown]
    text: str


class DeployRequest(RequestBody):
    """The version to deploy; without one, the newest ready release."""

    version: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class CommandRequest(RequestBody):
    """A command for the running deployment; `rollback` also works if none is running."""

    command: Command


def _deployment(record: DeploymentRecord, versions: VersionsByDigest) -> dict[str, Any]:
    return {
        **_known(DeploymentShown, record),
        "version": versions.get((record.app, record.digest)),
        "started_at": utc(record.started_at),
        "ended_at": utc(record.ended_at) if record.ended_at else None,
    }


def _known(model: type[ResponseBody], value: object) -> dict[str, Any]:
    return {name: getattr(value, name) for name in model.model_fields if hasattr(value, name)}
