"""Tomcat's Manager, for one app: lists, deploys and undeploys its contexts over HTTP.

The Manager answers once the app has started, or failed to. Its "OK" means no more than that: an app
whose servlets fail counts as deployed. So an "OK" is evidence of an action, never a node's state.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path, PurePath

from bigred_server.errors import NodeError
from bigred_server.rollout.core.observation import Version
from bigred_server.tomcat import manager_text, vitals
from bigred_server.tomcat.manager_call import BusyError, ManagerCall, RefusedError
from bigred_server.tomcat.vitals import Vitals

LOOK_DEADLINE_S = 2.0
_CHECK_S = 10.0
_BUSY_PAUSE_S = 0.5
_WORTH_A_TRY_S = 1.0


@dataclass(frozen=True)
class Manager:
    """The Manager of one node, and the app's context path there: "" for the root.

    All deadlines are in seconds and cover the whole call. Every method raises NodeError on failure,
    NodeAwayError if the Manager did not answer, so that nobody knows what was done.
    """

    call: ManagerCall
    context: str

    async def versions(self, deadline_s: float = LOOK_DEADLINE_S) -> tuple[Version, ...]:
        """Return the app's contexts, stopped ones too; the one that Tomcat prefers comes last."""
        lines = await self.call("list", {}, deadline_s, only_first=True)
        return manager_text.versions(lines[1:], self.context)

    async def deploy(self, source: Path, version: str, deadline_s: float) -> str:
        """Upload a WAR: it replaces the app or, with a `version`, runs alongside the others."""

        async def action(left_s: float) -> str:
            return await self._deploy({}, version, left_s, source)

        return await _when_free(action, deadline_s)

    async def deploy_kept(self, kept: PurePath, version: str, deadline_s: float) -> str:
        """Deploy a WAR that is on the node's own machine, where Tomcat must be able to read it.

        Its name must end in ".war".
        """

        async def action(left_s: float) -> str:
            return await self._deploy({"war": f"file:{kept}"}, version, left_s, None)

        return await _when_free(action, deadline_s)

    async def undeploy(self, version: str, deadline_s: float) -> str:
        """Undeploy one version, "" for the context without one; do nothing if it is gone.

        New users get the next older version at once; requests in flight get the context's
        unloadDelay before its files are deleted. Without any other version, users get 404.
        """

        async def action(left_s: float) -> str:
            if await self._find(version, left_s) is None:
                return f"{self._named(version)} is not deployed"
            return (await self.call("undeploy", self._query(version), left_s))[0]

        return await _when_free(action, deadline_s)

    async def leaks(self, deadline_s: float) -> int:
        """Count the app's stopped instances that Tomcat can't unload: their classes fill memory.

        Tomcat runs a full garbage collection for this, so call it only on a node out of service.
        """
        lines = await self.call("findleaks", {"statusLine": "true"}, deadline_s, only_first=True)
        return manager_text.leaks(lines[1:], self.context)

    async def vitals(self) -> Vitals:
        """Read the resource usage of the node's JVM."""
        query = {"qry": "java.lang:*"}
        lines = await self.call("", query, LOOK_DEADLINE_S, only_first=True, servlet="jmxproxy")
        return vitals.read(lines)

    async def started_at(self) -> float:
        """Return when Tomcat's JVM was started, in seconds of UTC by the node's own clock."""
        lines = await self.call("vminfo", {}, LOOK_DEADLINE_S, only_first=True)
        found = manager_text.started_at(lines)
        if found is None:
            raise NodeError(
                f"{self.call.url}/text/vminfo has no startTime; is this Tomcat's Manager?"
            )
        return found

    async def _deploy(
        self, query: dict[str, str], version: str, left_s: float, upload: Path | None
    ) -> str:
        begun_s = time.monotonic()
        # Also listed first because a password refused in mid-upload breaks the connection.
        found = await self._find(version, left_s) if version or upload else None
        if version and found:
            if found.running:
                return f"{self._named(version)} is already deployed"
            # Perhaps it is starting. Its name identifies its bytes, so it is never replaced:
            # "start" waits for a start in progress, and does no harm if it runs by then.
            left_s -= time.monotonic() - begun_s
            begun_s = time.monotonic()
            try:
                return (await self.call("start", self._query(version), left_s))[0]
            except BusyError:
                raise
            except RefusedError:
                await self._clear(version)
        query = self._query(version) | query
        if not version:
            query["update"] = "true"
        left_s -= time.monotonic() - begun_s
        try:
            return (await self.call("deploy", query, left_s, upload=upload))[0]
        except BusyError:
            raise
        except RefusedError:
            if version:
                await self._clear(version)
            raise

    async def _clear(self, version: str) -> None:
        """Undeploy a version that did not start, or Tomcat tries it again at its next start."""
        with contextlib.suppress(NodeError):
            found = await self._find(version, _CHECK_S)
            if found and not found.running:
                await self.call("undeploy", self._query(version), _CHECK_S)

    async def _find(self, version: str, left_s: float) -> Version | None:
        found = await self.versions(min(left_s, _CHECK_S))
        return next((one for one in found if one.name == version), None)

    def _query(self, version: str) -> dict[str, str]:
        query = {"path": self.context or "/"}
        return query | {"version": version} if version else query

    def _named(self, version: str) -> str:
        return (self.context or "/") + (f"##{version}" if version else "")


async def _when_free(action: Callable[[float], Awaitable[str]], deadline_s: float) -> str:
    """Run an action once Tomcat is free: one that timed out may still be running there."""
    ends_s = time.monotonic() + deadline_s
    while True:
        try:
            return await action(ends_s - time.monotonic())
        except BusyError as busy:
            # An action begun at the last moment would only time out and leave Tomcat busy again.
            if ends_s - time.monotonic() < _BUSY_PAUSE_S + _WORTH_A_TRY_S:
                raise NodeError(
                    f"{busy}, still after {deadline_s:g} s; check what keeps Tomcat busy"
                ) from busy
        await asyncio.sleep(_BUSY_PAUSE_S)
