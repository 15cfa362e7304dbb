"""Where a node's WAR and its kept releases are on its host, local or remote."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bigred_server.errors import NodeError
from bigred_server.model import disk_space
from bigred_server.settings import NodeSettings
from bigred_server.settings.node import Argv

_KEPT_NAME = re.compile(r"([0-9a-f]{64})\.war")


@dataclass(frozen=True)
class ReleasePaths:
    """`war`: what Tomcat serves. `folder`: the kept releases, named by their SHA-256."""

    war: Path
    folder: Path

    def kept(self, digest: str) -> Path:
        """Return the path of a kept release."""
        return self.folder / f"{digest}.war"

    @property
    def unpacked(self) -> Path:
        """The folder that Tomcat unpacks the WAR into."""
        return self.war.with_suffix("")

    @property
    def fetching(self) -> str:
        """The prefix of temporary names in the folder of kept releases.

        Nodes of one machine may share that folder; each deletes only its own leftovers.
        """
        return f".{hashlib.sha256(bytes(self.war)).hexdigest()[:12]}.bigred-"

    @property
    def swapping(self) -> str:
        """The prefix of temporary names next to the WAR."""
        return f".{self.war.name}.bigred-"


def release_paths(node: NodeSettings) -> ReleasePaths:
    """Return the paths of a node. Raise NodeError if none are configured."""
    if node.war is None or node.kept_folder is None:
        raise NodeError(f"the node at {node.url} has no war configured; set war to its full path")
    return ReleasePaths(node.war, node.kept_folder)


def kept_digests(names: Iterable[str]) -> frozenset[str]:
    """Return the digests of the kept releases among the file names of a folder."""
    return frozenset(found[1] for name in names if (found := _KEPT_NAME.fullmatch(name)))


def surplus(kept: frozenset[str], digest: str, keep: frozenset[str]) -> list[str]:
    """Return the kept releases to delete when `digest` is added."""
    return sorted(kept - keep - {digest})


def check_disk_space(where: str, free: int, size: int) -> None:
    """Raise NodeError if a release of `size` bytes does not fit into `free` bytes."""
    needed = disk_space.on_a_node(size)
    if free < needed:
        raise NodeError(
            f"{where} has {_mib(free)} free; {_mib(needed)} are needed: {_mib(size)} to keep the "
            f"release, as much again to serve it, and {_mib(disk_space.SPARE_BYTES)} to spare; "
            "free some space there"
        )


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"


def configured(command: Argv | None, name: str) -> Argv:
    """Return a node's command. Raise NodeError if it is not configured."""
    if command is None:
        raise NodeError(f"the node has no command {name!r}; set it in the node's table")
    return command
