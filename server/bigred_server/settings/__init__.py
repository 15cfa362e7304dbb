"""The server's configuration file, section by section; `example.toml` explains each key."""

from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from bigred_broker import config
from bigred_broker.messages import Id
from bigred_broker.settings import BrokerSettings, LogFormat, Section
from bigred_server.errors import DeploymentError
from bigred_server.model.marker import MarkerSettings, MarkerSource
from bigred_server.model.war_limits import WarLimits
from bigred_server.settings.admission import AdmissionSettings
from bigred_server.settings.app import AppSettings, HaproxySettings, HookSettings
from bigred_server.settings.build import SandboxMode
from bigred_server.settings.deadlines import DeadlineSettings
from bigred_server.settings.jenkins import JenkinsAppSettings
from bigred_server.settings.judge import JudgeSettings, ProbeSettings
from bigred_server.settings.node import ManagerSettings, NodeSettings, ReachBy, SshSettings

__all__ = [
    "AdmissionSettings",
    "ApiSettings",
    "ApiTlsSettings",
    "AppSettings",
    "BoxSettings",
    "DeadlineSettings",
    "HaproxySettings",
    "HookSettings",
    "JenkinsAppSettings",
    "JudgeSettings",
    "ManagerSettings",
    "MarkerSettings",
    "MarkerSource",
    "NodeSettings",
    "ProbeSettings",
    "ReachBy",
    "ServerSettings",
    "Settings",
    "SshSettings",
    "example",
    "load",
]

EXAMPLE = "example.toml"
_LAST_PORT = 65_535


class ServerSettings(Section):
    """`[server]`."""

    state: Path
    log_format: LogFormat = "console"
    name: Id = "bigred-server"
    database: Annotated[str, Field(pattern=r"^(postgresql(\+psycopg)?://.+)?$")] = ""
    releases: Path | None = None
    builds: Annotated[int, Field(ge=1, le=100)] = 2
    build_user: Annotated[str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_.-]{0,31})?$")] = ""
    sandbox: SandboxMode = SandboxMode.AUTO
    workspaces: Path | None = None
    haproxy_log: Annotated[str, Field(pattern=r"^(/.+|([^:]+|\[[0-9a-f:]+\]):[0-9]{1,5})?$")] = ""
    wars: WarLimits = WarLimits()

    @model_validator(mode="after")
    def _build_user_can_enter_the_workspaces(self) -> "ServerSettings":
        if self.build_user and self.workspaces and self.workspaces.is_relative_to(self.state):
            raise ValueError(
                f"workspaces = '{self.workspaces}' is inside `state`, which {self.build_user} "
                "can't enter; name a folder elsewhere"
            )
        return self


class ApiTlsSettings(Section):
    """`[api.tls]`: the certificate of the HTTP API, with its chain, and its key. PEM files."""

    certificate: Path
    key: Path


class ApiSettings(Section):
    """`[api]`."""

    listen: Annotated[str, Field(pattern=r"^([^:]+|\[[0-9a-f:]+\]):[0-9]{1,5}$|^$")] = ""
    url: Annotated[str, Field(pattern=r"^(https?://.+)?$")] = ""
    most_connections: Annotated[int, Field(ge=10, le=800)] = 200
    most_per_client: Annotated[int, Field(ge=1, le=800)] = 50
    tls: ApiTlsSettings | None = None

    @model_validator(mode="before")
    @classmethod
    def _tokens_are_in_the_journal(cls, keys: object) -> object:
        if isinstance(keys, dict) and "tokens" in keys:
            raise ValueError(
                "tokens are no longer in the configuration: remove [api.tokens], and create each "
                "one anew with `bigred token create NAME`"
            )
        return keys

    @field_validator("listen")
    @classmethod
    def _has_a_valid_port(cls, listen: str) -> str:
        # The resolver takes a port modulo 65536, so the API would listen on another one.
        if listen and int(listen.rpartition(":")[2]) > _LAST_PORT:
            raise ValueError(f"the port can't be greater than {_LAST_PORT}")
        return listen


class BoxSettings(Section):
    """`[boxes.NAME]`: the app that a box may fire."""

    app: Id


def _driver(app: object) -> object:
    """Return the driver of an app, given as a table of the file or as a settings object."""
    return app.get("driver", "tomcat") if isinstance(app, dict) else getattr(app, "driver", None)


AnyAppSettings = Annotated[
    Annotated[AppSettings, Tag("tomcat")] | Annotated[JenkinsAppSettings, Tag("jenkins")],
    Discriminator(
        _driver,
        custom_error_type="driver",
        custom_error_message="the driver must be 'tomcat' or 'jenkins'",
    ),
]


class Settings(Section):
    """The whole file. `apps` holds two kinds: `fleets` that Bigred deploys, `jobs` in Jenkins."""

    server: ServerSettings
    broker: BrokerSettings = BrokerSettings()
    api: ApiSettings = ApiSettings()
    boxes: dict[Id, BoxSettings] = Field(default_factory=dict)
    apps: Annotated[dict[Id, AnyAppSettings], Field(min_length=1)]

    @field_validator("apps", mode="after")
    @classmethod
    def _know_their_context(cls, apps: dict[str, AnyAppSettings]) -> dict[str, AnyAppSettings]:
        return {
            name: app.at(_context(name, app)) if isinstance(app, AppSettings) else app
            for name, app in apps.items()
        }

    @property
    def fleets(self) -> dict[str, AppSettings]:
        """The apps that Bigred deploys itself, by name."""
        return {name: app for name, app in self.apps.items() if isinstance(app, AppSettings)}

    @property
    def jobs(self) -> dict[str, JenkinsAppSettings]:
        """The apps that Jenkins deploys, by name."""
        return {name: app for name, app in self.apps.items() if isinstance(app, JenkinsAppSettings)}

    @model_validator(mode="after")
    def _boxes_fire_known_apps(self) -> "Settings":
        for name, box in self.boxes.items():
            if box.app not in self.apps:
                known = ", ".join(self.apps)
                raise ValueError(f"boxes.{name}.app: no app {box.app!r}; available: {known}")
        return self

    @model_validator(mode="after")
    def _apps_share_no_kept_folder(self) -> "Settings":
        owners: dict[tuple[str, Path], str] = {}
        for name, app in self.fleets.items():
            for node in app.nodes.values():
                if (folder := node.kept_folder) is None:
                    continue
                place = (node.ssh.host if node.ssh else "", folder)
                if owners.setdefault(place, name) != name:
                    raise ValueError(
                        f"apps {owners[place]} and {name} both keep their releases in {folder}, "
                        "where each would remove the other's; set a different `kept` for each"
                    )
        return self

    def fleet_of(self, app: str) -> AppSettings:
        """Return the settings of an app. Raise DeploymentError if Jenkins deploys it."""
        if app in self.jobs:
            raise DeploymentError(
                f"{app} is deployed by Jenkins: Bigred has no nodes or releases of it"
            )
        return self.fleets[app]

    def context_of(self, app: str) -> str:
        """Return the context path of an app that Bigred deploys; the default is /NAME."""
        return _context(app, self.fleets[app])


def _context(name: str, app: AppSettings) -> str:
    return f"/{name}" if app.context is None else app.context


def load(path: Path) -> Settings:
    """Read the configuration file. Raise ConfigError with file, line and the nearest key."""
    return config.load(path, Settings)


def example() -> str:
    """Give the annotated reference: what `bigred init --full` fills in."""
    return resources.files("bigred_server").joinpath(EXAMPLE).read_text(encoding="utf-8")
