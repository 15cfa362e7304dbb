"""Where on a host a node's WAR and its kept releases lie, and what may be there; local or far."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bigred_server.errors import NodeError
from bigred_server.model import disk_space
from bigred_server.settings import NodeSettings
from bigred_server.settings.node import Argv

# Free on the disk after a release was brought and put in place: Tomcat writes logs there too.

_KEPT_NAME = re.compile(r"([0-9a-f]{64})\.war")


@dataclass(frozen=True)
class ReleasePaths:
    """`war`: what Tomcat serves. `folder`: of the kept releases, named by their SHA-256."""

    war: Path
    folder: Path

    def kept(self, digest: str) -> Path:
        """Say where a kept release lies."""
        return self.folder / f"{digest}.war"

    @property
    def unpacked(self) -> Path:
        """The folder into which Tomcat unpacks the WAR."""
        return self.war.with_suffix("")

    @property
    def fetching(self) -> str:
        """How temporary names in the kept folder begin.

        Nodes of one machine may share that folder; each sweeps only what it left there itself.
        """
        return f".{hashlib.sha256(bytes(self.war)).hexdigest()[:12]}.bigred-"

    @property
    def swapping(self) -> str:
        """How temporary names beside the WAR begin."""
        return f".{self.war.name}.bigred-"


def place_of(node: NodeSettings) -> ReleasePaths:
    """Give the place of a node that is not reached by HTTP alone. Raises NodeError."""
    if node.war is None or node.kept_folder is None:
        raise NodeError(f"the node at {node.url} has no war configured; write its full path")
    return ReleasePaths(node.war, node.kept_folder)


def kept_of(names: Iterable[str]) -> frozenset[str]:
    """Give the digests of the kept releases among the names in a folder."""
    return frozenset(found[1] for name in names if (found := _KEPT_NAME.fullmatch(name)))


def surplus(kept: frozenset[str], digest: str, keep: frozenset[str]) -> list[str]:
    """Say which of the kept releases go when `digest` comes."""
    return sorted(kept - keep - {digest})


def check_disk_space(where: str, free: int, size: int) -> None:
    """Raise NodeError when a release of `size` bytes does not fit into `free` ones."""
    needed = disk_space.on_a_node(size)
    if free < needed:
        raise NodeError(
            f"{where} has {_mib(free)} free, {_mib(needed)} are needed: {_mib(size)} to keep the "
            f"release, as much again to serve it, and {_mib(disk_space.SPARE_BYTES)} to spare; "
            "free some space there"
        )


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"


def configured(command: Argv | None, name: str) -> Argv:
    """Give a node's command. Raises NodeError when the configuration has none."""
    if command is None:
        raise NodeError(f"the node has no command {name!r}; write it into its table")
    return command
