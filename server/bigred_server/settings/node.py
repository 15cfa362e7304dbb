"""`[apps.NAME.nodes.NAME]`: one Tomcat, how to reach it and how to control it."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from bigred_broker.settings import Section
from bigred_server.model import haproxy_name
from bigred_server.settings.node_address import tomcat_of

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

    @field_validator("server")
    @classmethod
    def _is_a_name(cls, server: str) -> str:
        return haproxy_name.checked(server) if server else server

    @field_validator("war")
    @classmethod
    def _is_a_war(cls, war: Path | None) -> Path | None:
        if war is not None and (not war.is_absolute() or war.suffix != ".war"):
            raise ValueError("must be an absolute path that ends in .war")
        return war

    @field_validator("kept")
    @classmethod
    def _is_absolute(cls, kept: Path | None) -> Path | None:
        if kept is not None and not kept.is_absolute():
            raise ValueError("must be an absolute path")
        return kept

    @model_validator(mode="after")
    def _has_what_its_reach_needs(self) -> "NodeSettings":
        if self.reach is ReachBy.MANAGER:
            if self.manager is None:
                raise ValueError("reach = 'manager' needs a `manager` table")
            if self.war or self.stop or self.start or self.running or self.ssh:
                raise ValueError("reach = 'manager' can't have war, stop, start, running or ssh")
            return self
        if (self.reach is ReachBy.SSH) != (self.ssh is not None):
            raise ValueError("reach = 'ssh' and an `ssh` table must be set together")
        if self.war is None:
            raise ValueError(f"reach = '{self.reach}' needs war")
        kept = self.kept_folder
        if kept and self.war.parent in (kept, *kept.parents):
            raise ValueError("kept must be outside Tomcat's webapps: Tomcat serves what is in it")
        return self

    @property
    def kept_folder(self) -> Path | None:
        """The folder on the node where releases are kept; None if only HTTP reaches the node.

        It is next to Tomcat's webapps, never inside: Tomcat serves every folder it finds there.
        Each app has its own, so that removing one app's old releases can't touch another's.
        """
        if self.war is None:
            return None
        return self.kept or self.war.parent.parent / "bigred-releases" / self.war.stem

    @property
    def manager_url(self) -> str:
        """The Manager's address, without a trailing slash."""
        configured = self.manager.url if self.manager else ""
        return configured or f"{self.url}/manager"


def need_different_tomcats(nodes: Mapping[str, NodeSettings]) -> None:
    """Raise ValueError if two nodes are one Tomcat, by their urls or by their WARs."""
    urls: dict[tuple[str, int], str] = {}
    wars: dict[tuple[str, int, Path], str] = {}
    for name, node in nodes.items():
        place = (node.ssh.host, node.ssh.port) if node.ssh else ("", 0)
        if node.war and (other := wars.setdefault((*place, node.war), name)) != name:
            raise ValueError(f"two nodes have the same war: nodes.{other} and nodes.{name}")
        if (other := urls.setdefault(tomcat_of(node.url), name)) != name:
            raise ValueError(
                f"nodes.{other} and nodes.{name} have the same url, {node.url}: each node is a"
                " Tomcat of its own"
            )
