"""`[apps.NAME.build]` and `[apps.NAME.tests.NAME]`: how a commit becomes a release."""

from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from bigred_broker.settings import Section
from bigred_server.settings import repository_url
from bigred_server.settings.deadlines import Seconds
from bigred_server.settings.node import Argv


class Vcs(StrEnum):
    """The version control system of the source."""

    GIT = "git"
    HG = "hg"


class Deploy(StrEnum):
    """When a ready release is deployed: on a press, or as soon as it is ready."""

    ON_PRESS = "on_press"
    WHEN_READY = "when_ready"


class Promote(StrEnum):
    """How a release whose tests have passed becomes ready: by itself, or by a person."""

    BY_ITSELF = "by_itself"
    BY_HAND = "by_hand"


class SandboxMode(StrEnum):
    """Whether builds run in a sandbox: where it works, everywhere or not at all, or never."""

    AUTO = "auto"
    REQUIRED = "required"
    OFF = "off"


def _inside(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not text:
        raise ValueError(f"{text!r} must be a path inside the checkout")
    if any("**" in part and part != "**" for part in path.parts):
        raise ValueError(f"{text!r}: '**' must stand alone between slashes, as in '**/*.war'")
    return text


Inside = Annotated[str, AfterValidator(_inside)]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Environment = dict[VariableName, str]


class BuildSettings(Section):
    """`[apps.NAME.build]`."""

    repository: Annotated[str, Field(min_length=1), AfterValidator(repository_url.checked)]
    vcs: Vcs = Vcs.GIT
    branch: str = ""
    command: Argv
    artifact: Inside
    version: Literal["describe", "manifest"] = "describe"
    limit_s: Seconds = 1800.0
    network: bool = False
    inherit: tuple[VariableName, ...] = ()
    environment: Environment = Field(default_factory=dict)
    webhook_secret_file: Path | None = None

    @field_validator("branch")
    @classmethod
    def _is_a_branch(cls, branch: str, info: ValidationInfo) -> str:
        # Branches of Mercurial may have nearly any name, and are never part of a command.
        return branch if info.data.get("vcs") is Vcs.HG else repository_url.checked_branch(branch)

    @property
    def on_branch(self) -> str:
        """The branch whose pushes count."""
        return self.branch or {Vcs.GIT: "main", Vcs.HG: "default"}[self.vcs]


class StageSettings(Section):
    """`[apps.NAME.tests.NAME]`: one test stage; stages run in the order of the file."""

    command: Argv
    limit_s: Seconds = 600.0
    folder: Inside = "."
    environment: Environment = Field(default_factory=dict)
    artifacts: tuple[Inside, ...] = ()
    tomcat: bool = False
    tomcat_s: Seconds = 120.0
    tomcat_home: Path | None = None
