"""A host: the machine under a node, where its WAR lies and its Tomcat is stopped and started."""

from pathlib import Path, PurePath
from typing import Protocol

from bigred_server.rollout.core.observation import HostLook


class Host(Protocol):
    """Every look at a host, and every effect on it.

    Looking never changes it and never raises. The acts may be repeated without harm, leave nothing
    half-done behind, and give what was seen; they raise NodeError, which says what was tried, what
    was seen and what to do.
    """

    async def look(self, *, answers: bool) -> HostLook:
        """Look at it. `answers`: the app was heard a moment ago, so Tomcat runs; don't ask."""

    async def copy_war(self, target: Path) -> None:
        """Copy the WAR in place to a file here. Nothing is changed on the host."""

    async def fetch(self, source: Path, digest: str, keep: frozenset[str]) -> str:
        """Bring a release to the kept ones: to a temporary name, verified there, renamed.

        Done already, it does nothing but verify. Of the kept ones those not in `keep` go, and what
        an interrupted fetch left. Refused, before a byte is sent, when the disk has no room.
        """

    async def swap(self, digest: str) -> str:
        """Put a kept release, verified once more, in place of the WAR, atomically.

        Tomcat must be stopped. What it unpacked from the old WAR goes first.
        """

    async def stop(self, deadline_s: float) -> str:
        """Stop Tomcat by its command."""

    async def start(self, deadline_s: float) -> str:
        """Start Tomcat by its command."""

    def kept(self, digest: str) -> PurePath:
        """Say where on the host a kept release lies."""

    async def close(self) -> None:
        """Let go of whatever connection is kept open."""
