"""The server's configuration file, section by section; `example.toml` says what each key means."""

import re
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from bigred_broker import config
from bigred_broker.logs import LogFormat
from bigred_broker.messages import Id
from bigred_broker.settings import BrokerSettings, Section
from bigred_server.rollout.policy import OnDrainDeadline, Policy, share

EXAMPLE = "example.toml"

Seconds = Annotated[float, Field(ge=0, le=86_400)]
Path_ = Annotated[str, Field(pattern=r"^/")]
Command = Annotated[tuple[str, ...], Field(min_length=1)]


class ServerSettings(Section):
    """`[server]`."""

    state: Path
    log_format: LogFormat = "console"


class BoxSettings(Section):
    """`[boxes.NAME]`: which app a box may fire."""

    app: Id


class HaproxySettings(Section):
    """`[apps.NAME.haproxy]`."""

    socket: str
    backend: str


class MarkerSource(StrEnum):
    """Where the running app's release is read."""

    HEADER = "header"
    BODY = "body"
    MANIFEST = "manifest"


class MarkerSettings(Section):
    """`[apps.NAME.marker]`."""

    path: Path_
    status: Annotated[int, Field(ge=100, le=599)] = 200
    read: MarkerSource = MarkerSource.HEADER
    name: str = "X-Release"
    pattern: str = ""
    expects: Literal["version", "commit", "digest"] = "version"

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        if pattern and groups != 1:
            raise ValueError("needs exactly one group: the release")
        return pattern


class AdmissionSettings(Section):
    """`[apps.NAME.admission]`."""

    smoke: tuple[Path_, ...] = ()
    warmup: tuple[Path_, ...] = ()
    warmup_requests: Annotated[int, Field(ge=1, le=100_000)] = 200
    warmup_concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    warmup_errors: Annotated[float, Field(ge=0, le=1)] = 0.02


class DeadlineSettings(Section):
    """`[apps.NAME.deadlines]`: the policy's times, in seconds; its defaults are the policy's."""

    drain_first_s: Seconds = Policy.drain_first_s
    drain_s: Seconds = Policy.drain_s
    on_drain_deadline: OnDrainDeadline = Policy.on_drain_deadline
    stop_s: Seconds = Policy.stop_s
    swap_s: Seconds = Policy.swap_s
    start_s: Seconds = Policy.start_s
    start_again_s: Seconds = Policy.start_again_s
    wrong_answer_s: Seconds = Policy.wrong_answer_s
    admit_s: Seconds = Policy.admit_s
    check_s: Seconds = Policy.check_s
    blind_check_s: Seconds = Policy.blind_check_s
    progress_s: Seconds = Policy.progress_s
    tries: Annotated[int, Field(ge=1, le=100)] = Policy.tries


class NodeSettings(Section):
    """`[apps.NAME.nodes.NAME]`."""

    url: Annotated[str, Field(pattern=r"^https?://[^/]+$")]
    server: str = ""
    war: Path
    stop: Command
    start: Command
    running: Command

    @field_validator("war")
    @classmethod
    def _is_absolute(cls, war: Path) -> Path:
        if not war.is_absolute() or war.suffix != ".war":
            raise ValueError("needs a full path that ends in .war")
        return war


class AppSettings(Section):
    """`[apps.NAME]`."""

    min_healthy: int | str | None = None
    batch: Annotated[int, Field(ge=1)] = 1
    countdown_s: Annotated[float, Field(ge=0, le=60)] = 3.0
    haproxy: HaproxySettings
    marker: MarkerSettings
    admission: AdmissionSettings = AdmissionSettings()
    deadlines: DeadlineSettings = DeadlineSettings()
    nodes: Annotated[dict[Id, NodeSettings], Field(min_length=1)]

    @model_validator(mode="after")
    def _leaves_a_node_to_take(self) -> "AppSettings":
        share(self.min_healthy, len(self.nodes))
        return self

    @model_validator(mode="after")
    def _shares_no_war(self) -> "AppSettings":
        wars = [node.war for node in self.nodes.values()]
        if len(set(wars)) < len(wars):
            raise ValueError("two nodes name the same war")
        return self

    def policy(self) -> Policy:
        """Give the rollout's policy."""
        return Policy(
            min_healthy=share(self.min_healthy, len(self.nodes)),
            batch=self.batch,
            **self.deadlines.model_dump(),
        )

    def server_of(self, node: str) -> str:
        """Give the name of a node's server line in HAProxy's backend."""
        return self.nodes[node].server or node


class Settings(Section):
    """The whole file."""

    server: ServerSettings
    broker: BrokerSettings = BrokerSettings()
    boxes: dict[Id, BoxSettings] = Field(default_factory=dict)
    apps: Annotated[dict[Id, AppSettings], Field(min_length=1)]

    @model_validator(mode="after")
    def _boxes_fire_known_apps(self) -> "Settings":
        for name, box in self.boxes.items():
            if box.app not in self.apps:
                known = ", ".join(self.apps)
                raise ValueError(f"boxes.{name}.app: no app {box.app!r} here; there is: {known}")
        return self


def load(path: Path) -> Settings:
    """Read the configuration file. Raises ConfigError with file, line and the nearest key."""
    return config.load(path, Settings)


def example() -> str:
    """Give the annotated example: what `bigred init` writes."""
    return resources.files("bigred_server").joinpath(EXAMPLE).read_text(encoding="utf-8")
