"""`[apps.NAME.nodes.NAME]`: one Tomcat, how it is reached and what is done to it."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from bigred_broker.settings import Section

Argv = Annotated[tuple[str, ...], Field(min_length=1)]
Url = Annotated[str, Field(pattern=r"^https?://[^/]+$")]


class ReachBy(StrEnum):
    """How a node is reached."""

    LOCAL = "local"
    SSH = "ssh"
    MANAGER = "manager"


class SshSettings(Section):
    """`[apps.NAME.nodes.NAME.ssh]`."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65_535)] = 22
    user: str = ""
    key: Path | None = None
    known_hosts: Path = Path("/etc/bigred/known_hosts")


class ManagerSettings(Section):
    """`[apps.NAME.nodes.NAME.manager]`."""

    url: Annotated[str, Field(pattern=r"^(https?://[^/]+.*[^/])?$")] = ""
    user: Annotated[str, Field(min_length=1)]
    password_file: Path


class NodeSettings(Section):
    """`[apps.NAME.nodes.NAME]`."""

    url: Url
    server: str = ""
    reach: ReachBy = ReachBy.LOCAL
    war: Path | None = None
    kept: Path | None = None
    stop: Argv | None = None
    start: Argv | None = None
    running: Argv | None = None
    ssh: SshSettings | None = None
    manager: ManagerSettings | None = None

    @field_validator("war")
    @classmethod
    def _is_a_war(cls, war: Path | None) -> Path | None:
        if war is not None and (not war.is_absolute() or war.suffix != ".war"):
            raise ValueError("needs a full path that ends in .war")
        return war

    @field_validator("kept")
    @classmethod
    def _is_absolute(cls, kept: Path | None) -> Path | None:
        if kept is not None and not kept.is_absolute():
            raise ValueError("needs a full path")
        return kept

    @model_validator(mode="after")
    def _has_what_its_reach_needs(self) -> "NodeSettings":
        if self.reach is ReachBy.MANAGER:
            if self.manager is None:
                raise ValueError("reach = 'manager' needs the table manager")
            if self.war or self.stop or self.start or self.running or self.ssh:
                raise ValueError("reach = 'manager' is HTTP alone: no war, commands or ssh")
            return self
        if (self.reach is ReachBy.SSH) != (self.ssh is not None):
            raise ValueError("reach = 'ssh' and the table ssh go together")
        if self.war is None:
            raise ValueError(f"reach = '{self.reach}' needs war")
        kept = self.kept_folder
        if kept and self.war.parent in (kept, *kept.parents):
            raise ValueError("kept must not be Tomcat's own folder: it would serve what lies there")
        return self

    @property
    def kept_folder(self) -> Path | None:
        """The folder on the node where releases are kept; None where only HTTP reaches it.

        Beside Tomcat's folder, never in it: Tomcat serves every folder that it finds there. A
        folder for each app: what one app no longer needs must not be looked for among another's.
        """
        if self.war is None:
            return None
        return self.kept or self.war.parent.parent / "bigred-releases" / self.war.stem

    @property
    def manager_url(self) -> str:
        """The Manager's address, without a slash at the end."""
        configured = self.manager.url if self.manager else ""
        return configured or f"{self.url}/manager"
