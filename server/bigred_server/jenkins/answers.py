"""The answers of Jenkins's remote API, as far as we read them (`.../api/json?tree=...`)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

# What we request, as values of the parameter `tree`.
JOB = "buildable,nextBuildNumber,property[parameterDefinitions[name,choices]]"
BUILD = "number,building,result,timestamp,duration,estimatedDuration"
_ACTIONS = "actions[parameters[name,value],causes[userId]]"
ITEM = f"why,cancelled,executable[number],{_ACTIONS}"
QUEUE = f"items[id,task[url],{_ACTIONS}]"
BUILDS = f"builds[number,queueId,timestamp,{_ACTIONS}]{{0,50}}"


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ParameterValue(_Answer):
    """A parameter of a build; Jenkins does not report the value of a secret one."""

    name: str
    value: str | int | float | bool | None = None

    @property
    def text(self) -> str:
        """The value as it is written in a form."""
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)


class BuildCause(_Answer):
    """Why a build exists: the user who requested it; None for anybody."""

    user: str | None = Field(default=None, alias="userId")


class BuildAction(_Answer):
    """Something that Jenkins knows about a build or a queue item."""

    parameters: tuple[ParameterValue, ...] = ()
    causes: tuple[BuildCause, ...] = ()


def requested_by(actions: tuple[BuildAction, ...]) -> list[str]:
    """List the users who requested it: Jenkins folds a request into an item that waits already."""
    return [cause.user for action in actions for cause in action.causes if cause.user]


def is_user(one: str, other: str) -> bool:
    """Return whether two ids are of the same user: Jenkins does not mind their case."""
    return one.casefold() == other.casefold()


class ParameterDefinition(_Answer):
    """A parameter that a job takes."""

    name: str
    choices: tuple[str, ...] | None = None


class Property(_Answer):
    """A property of a job: we read only the parameters it takes."""

    parameter_definitions: tuple[ParameterDefinition, ...] = Field(
        default=(), alias="parameterDefinitions"
    )


class JobInfo(_Answer):
    """A job. A disabled job is not `buildable`."""

    buildable: bool = False
    next_number: int = Field(default=1, alias="nextBuildNumber")
    properties: tuple[Property, ...] = Field(default=(), alias="property")

    @property
    def parameters(self) -> dict[str, ParameterDefinition]:
        """The parameters that the job takes, by name."""
        return {one.name: one for each in self.properties for one in each.parameter_definitions}


class Executable(_Answer):
    """The build that a queue item has become."""

    number: int


class Item(_Answer):
    """A queue item: it waits (`why`), was cancelled, or became a build (`executable`)."""

    why: str | None = None
    cancelled: bool = False
    executable: Executable | None = None
    actions: tuple[BuildAction, ...] = ()


class BuildInfo(_Answer):
    """A build. `result` is None while it runs; times are in ms, `timestamp` in ms of Unix time."""

    number: int
    building: bool = False
    result: Literal["SUCCESS", "UNSTABLE", "FAILURE", "NOT_BUILT", "ABORTED"] | None = None
    timestamp: int = 0
    duration: int = 0
    estimated: int = Field(default=-1, alias="estimatedDuration")

    @property
    def is_over(self) -> bool:
        """Whether the build has ended: it may have a result before its last steps are done."""
        return not self.building and self.result is not None


class BuildStage(_Answer):
    """A stage of a Pipeline, as the plugin "Pipeline: Stage View" reports it."""

    name: str
    status: str
    milliseconds: int = Field(default=0, alias="durationMillis")


class Stages(_Answer):
    """The stages of a build, in order; parallel stages are in the same list."""

    stages: tuple[BuildStage, ...] = ()


class Task(_Answer):
    """The job that a queue item is for."""

    url: str = ""


class FoundItem(_Answer):
    """A queue item, with what we need to recognize one of ours."""

    id: int
    task: Task = Task()
    actions: tuple[BuildAction, ...] = ()


class Queue(_Answer):
    """The queue."""

    items: tuple[FoundItem, ...] = ()


class FoundBuild(_Answer):
    """A build, with what we need to recognize one of ours."""

    number: int
    queue_id: int = Field(default=-1, alias="queueId")
    timestamp: int = 0
    actions: tuple[BuildAction, ...] = ()


class Builds(_Answer):
    """The newest builds of a job."""

    builds: tuple[FoundBuild, ...] = ()


class Crumb(_Answer):
    """The header that a POST must have if it is not made with an API token."""

    field: str = Field(alias="crumbRequestField")
    crumb: str
