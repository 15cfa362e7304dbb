"""One node, reached by its host, its Manager or both: every look at it and every effect on it."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bigred_server.errors import NodeAwayError, NodeError
from bigred_server.rollout.core.context_version import newest
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, HostLook, Version
from bigred_server.rollout.core.target import Strategy
from bigred_server.tomcat.contexts import Contexts, Listed
from bigred_server.tomcat.host import Host

if TYPE_CHECKING:
    from bigred_server.tomcat.manager import Manager

# On many machines it takes a process to ask, just while the JVM that starts needs the processor.
_RUNS_KEEPS_S = 0.5


class Node:
    """A node of one app. `look` never raises; actions raise NodeError and can be repeated.

    `actions`: how many have ended.
    """

    def __init__(self, host: Host | None, manager: "Manager | None", strategy: Strategy) -> None:
        self._host = host
        self._manager = manager
        self._contexts = Contexts(manager) if manager else None
        self._is_parallel = strategy is Strategy.PARALLEL
        self.actions = 0
        self._is_starting = False
        self._ran_at_s = float("-inf")

    async def look(self, *, answers: bool) -> HostLook:
        """Look at the node. `answers`: the app answered a moment ago, so Tomcat is running.

        A Tomcat that was started is not asked more than twice a second whether it still runs.
        """
        runs = answers or time.monotonic() - self._ran_at_s < _RUNS_KEEPS_S
        if self._contexts:
            looking = self._contexts.look(), self._look_host(runs)
            listed, host = await asyncio.gather(*looking)
        else:
            # Most nodes have no Manager, and tasks take longer than the look at a file.
            listed, host = Listed(), await self._look_host(runs)
        if self._is_starting and not runs and host and host.running:
            self._ran_at_s = time.monotonic()
        return replace(
            host or HostLook(),
            digest=self._digest(host, listed.versions),
            running=(host.running if host else None) if listed.versions is None else True,
            manifest=self._manifest(host, listed.versions),
            versions=listed.versions,
            problem=_problem(host, listed.error, answers=answers),
        )

    async def copy_war(self, target: Path) -> None:
        """Copy the WAR in place to a local file."""
        await self._required_host().copy_war(target)

    async def fetch(self, source: Path, digest: str, keep: frozenset[str]) -> str:
        """Copy a release to the node while it serves."""
        with self._change():
            return await self._required_host().fetch(source, digest, keep)

    async def swap(self, digest: str) -> str:
        """Replace the WAR of a stopped Tomcat with a fetched release."""
        with self._change():
            return await self._required_host().swap(digest)

    async def deploy(self, source: Path, digest: str, version: str, deadline_s: float) -> str:
        """Make the Manager replace the app, or with a `version` add it alongside the others.

        Replacing ends every request and session of the app there: the node must be drained. If the
        host keeps releases, this one must have been fetched. After a NodeAwayError the result is
        unknown: look again.
        """
        manager = self._required_manager()
        with self._action(deploys=UNKNOWN_DIGEST if version else digest):
            if self._host is None:
                evidence = await manager.deploy(source, version, deadline_s)
            else:
                kept = self._host.kept(digest)
                evidence = await manager.deploy_kept(kept, version, deadline_s)
        return evidence

    @property
    def keeps_releases(self) -> bool:
        """Whether releases are kept on the node, so that its Manager reads them from there."""
        return self._host is not None

    async def leftovers(self, redeploys_since: Callable[[float], Awaitable[int]], most: int) -> str:
        """Describe what redeployments have left in Tomcat's memory: see leftovers.py."""
        # Imported late: few nodes have a Manager.
        from bigred_server.tomcat.leftovers import leftovers

        return await leftovers(self._required_manager(), redeploys_since, most)

    async def undeploy(self, version: str, deadline_s: float) -> str:
        """Make the Manager remove one version; "" is the context without one."""
        with self._action():
            return await self._required_manager().undeploy(version, deadline_s)

    async def stop(self, deadline_s: float) -> str:
        """Stop Tomcat."""
        with self._action():
            return await self._required_host().stop(deadline_s)

    async def start(self, deadline_s: float) -> str:
        """Start Tomcat."""
        with self._action():
            evidence = await self._required_host().start(deadline_s)
            self._is_starting = True
            return evidence

    def forget(self) -> None:
        """Make the next look read everything anew."""
        self.actions += 1
        if self._contexts:
            self._contexts.forget()

    async def close(self) -> None:
        """Close the connection to the host, if one is open."""
        if self._host:
            await self._host.close()

    def _digest(self, host: HostLook | None, versions: tuple[Version, ...] | None) -> str | None:
        if host and not self._is_parallel:
            return host.digest
        if versions is None:
            # A Tomcat that does not run serves nobody, and can be started.
            return "" if host and host.running is False else None
        first = newest(versions)
        if first is None:
            # A context that does not run still has a WAR; with parallel versions it is not used.
            return UNKNOWN_DIGEST if versions and not self._is_parallel else ""
        if first.name:
            return first.digest
        if host:
            return host.digest
        return self._contexts.deployed if self._contexts else UNKNOWN_DIGEST

    def _manifest(
        self, host: HostLook | None, versions: tuple[Version, ...] | None
    ) -> Mapping[str, str]:
        """Return the manifest of the WAR without a version, the only one that a host reads."""
        first = newest(versions or ())
        is_shadowed = self._is_parallel and first is not None and first.name
        return host.manifest if host and not is_shadowed else {}

    async def _look_host(self, answers: bool) -> HostLook | None:
        return await self._host.look(answers=answers) if self._host else None

    @contextlib.contextmanager
    def _change(self) -> Iterator[None]:
        self._is_starting, self._ran_at_s = False, float("-inf")
        try:
            yield
        finally:
            self.actions += 1

    @contextlib.contextmanager
    def _action(self, deploys: str = UNKNOWN_DIGEST) -> Iterator[None]:
        contexts = self._contexts.act(deploys) if self._contexts else contextlib.nullcontext()
        with self._change(), contexts:
            yield

    def _required_manager(self) -> "Manager":
        if self._manager is None:
            raise NodeError("this node has no Manager configured; add its table `manager`")
        return self._manager

    def _required_host(self) -> Host:
        if self._host is None:
            raise NodeError("only HTTP reaches this node; this needs reach = 'local' or 'ssh'")
        return self._host


def _problem(host: HostLook | None, error: NodeError | None, *, answers: bool) -> str:
    if host and host.problem:
        return host.problem
    # If nothing answers at all, the app's own silence is reported already.
    if error is None or (host and isinstance(error, NodeAwayError) and not answers):
        return ""
    return str(error)
