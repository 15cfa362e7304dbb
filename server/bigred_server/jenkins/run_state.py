"""The state of a run in Jenkins at one look: one of these."""

from dataclasses import dataclass

from bigred_server.jenkins.answers import BuildInfo


@dataclass(frozen=True)
class Queued:
    """It waits in the queue as `item`; `why` is Jenkins's reason.

    `others`: those who requested the same and got the same item.
    """

    item: int
    why: str = ""
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Withdrawn:
    """It was removed from the queue before it became a build."""


@dataclass(frozen=True)
class Started:
    """It has become the build with this number."""

    number: int


@dataclass(frozen=True)
class BuildRunning:
    """The build, in progress or over."""

    build: BuildInfo


@dataclass(frozen=True)
class Lost:
    """Jenkins answers, but knows nothing of it."""


@dataclass(frozen=True)
class Away:
    """Jenkins does not answer."""

    reason: str


RunState = Queued | Withdrawn | Started | BuildRunning | Lost | Away
