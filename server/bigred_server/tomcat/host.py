"""A host: the machine of a node, which has the WAR and on which Tomcat is stopped and started."""

from pathlib import Path, PurePath
from typing import Protocol

from bigred_server.rollout.core.observation import HostLook


class Host(Protocol):
    """Every look at a host, and every effect on it.

    A look never changes the host and never raises. Actions can be repeated without harm, leave
    nothing half-done, and return evidence; they raise NodeError, which says what was tried, what
    was seen and what to do.
    """

    async def look(self, *, answers: bool) -> HostLook:
        """Look at the host. `answers`: the app answered a moment ago, so Tomcat runs; don't ask."""

    async def copy_war(self, target: Path) -> None:
        """Copy the WAR in place to a local file. Nothing is changed on the host."""

    async def fetch(self, source: Path, digest: str, keep: frozenset[str]) -> str:
        """Add a release to the kept ones: copy it to a temporary name, verify it, rename it.

        If the release is already kept, only verify it. Remove kept releases that are not in `keep`,
        and the remains of an interrupted fetch. Raise NodeError, before a byte is sent, if the disk
        has too little space.
        """

    async def swap(self, digest: str) -> str:
        """Verify a kept release again, and put it in place of the WAR atomically.

        Tomcat must be stopped. What Tomcat unpacked from the old WAR is removed first.
        """

    async def stop(self, deadline_s: float) -> str:
        """Stop Tomcat by its command."""

    async def start(self, deadline_s: float) -> str:
        """Start Tomcat by its command."""

    def kept(self, digest: str) -> PurePath:
        """Return the path of a kept release on the host."""

    async def close(self) -> None:
        """Close the connection to the host, if one is open."""
