"""One node: a host below, a Manager above, or both; every look at it and every effect on it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bigred_server.rollout.look import Version


@dataclass(frozen=True)
class Seen:
    """A node seen once, but for what its app answers; the words are those of a NodeLook.

    `digest`: of the WAR that new users get, UNTOLD where only HTTP reaches the node; `manifest` is
    that WAR's.
    """

    digest: str | None
    running: bool | None = None
    manifest: dict[str, str] = field(default_factory=dict)
    kept: frozenset[str] | None = None
    free: int | None = None
    versions: tuple[Version, ...] | None = None
    trouble: str = ""


class Node(Protocol):
    """What a fleet needs of a node. Acts raise NodeError; `Host` says what all of them promise."""

    async def look(self, *, answers: bool) -> Seen:
        """Look at it. `answers`: the app was heard a moment ago."""

    async def fetch(self, source: Path, digest: str, keep: frozenset[str]) -> str:
        """Bring a release to the node while it serves."""

    async def swap(self, digest: str) -> str:
        """Put a fetched release in place of the WAR of a stopped Tomcat."""

    async def deploy(self, source: Path, digest: str, version: str, deadline_s: float) -> str:
        """Have the Manager replace the app, or with a `version` put it beside the others."""

    async def undeploy(self, version: str, deadline_s: float) -> str:
        """Have the Manager take one version away; "" is the context without one."""

    async def stop(self, deadline_s: float) -> str:
        """Stop Tomcat."""

    async def start(self, deadline_s: float) -> str:
        """Start Tomcat."""

    async def close(self) -> None:
        """Let go of whatever connection is kept open."""
