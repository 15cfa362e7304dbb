"""Tomcat's Manager, for one app: its contexts seen, put there and taken away over HTTP.

The Manager answers when the app has started, or failed to. Its "OK" is no more than that: an app
whose servlets fail is deployed well. So an "OK" is an act's evidence, never a node's state.
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
_BEFORE_ACT_S = 10.0
_BUSY_PAUSE_S = 0.5
_WORTH_A_TRY_S = 1.0


@dataclass(frozen=True)
class Manager:
    """The Manager of one node, and the app's context path there: "" for the root.

    All deadlines are in seconds, for the whole of what is asked. Everything raises NodeError;
    NodeAwayError when nobody answered, so that nobody knows what was done.
    """

    call: ManagerCall
    context: str

    async def versions(self, deadline_s: float = LOOK_DEADLINE_S) -> tuple[Version, ...]:
        """Give the app's contexts, the one that Tomcat prefers last; stopped ones too."""
        lines = await self.call("list", {}, deadline_s, only_first=True)
        return manager_text.versions(lines[1:], self.context)

    async def deploy(self, source: Path, version: str, deadline_s: float) -> str:
        """Send a WAR and have it replace the app, or with a `version` stand beside the others."""

        async def action(left_s: float) -> str:
            return await self._deploy({}, version, left_s, source)

        return await _patiently(action, deadline_s)

    async def deploy_kept(self, kept: PurePath, version: str, deadline_s: float) -> str:
        """Do the same with a WAR on the node's own machine, which Tomcat must be able to read.

        Its name must end in ".war".
        """

        async def action(left_s: float) -> str:
            return await self._deploy({"war": f"file:{kept}"}, version, left_s, None)

        return await _patiently(action, deadline_s)

    async def undeploy(self, version: str, deadline_s: float) -> str:
        """Take one version away, "" for the context without one; nothing is done when it is gone.

        New users get the next older version at once; requests in flight have the context's
        unloadDelay before its files go. Without any other version they get 404.
        """

        async def action(left_s: float) -> str:
            if await self._find(version, left_s) is None:
                return f"{self._named(version)} is not there"
            return (await self.call("undeploy", self._query(version), left_s))[0]

        return await _patiently(action, deadline_s)

    async def leaks(self, deadline_s: float) -> int:
        """Count the app's ended lives that Tomcat can't forget: each keeps its classes in memory.

        Tomcat runs a full garbage collection for it: only where nobody is served.
        """
        lines = await self.call("findleaks", {"statusLine": "true"}, deadline_s, only_first=True)
        return manager_text.leaks(lines[1:], self.context)

    async def vitals(self) -> Vitals:
        """Read what the node's JVM uses."""
        query = {"qry": "java.lang:*"}
        lines = await self.call("", query, LOOK_DEADLINE_S, only_first=True, servlet="jmxproxy")
        return vitals.read(lines)

    async def started_at(self) -> float:
        """Say when Tomcat's JVM was started, in seconds of UTC by the node's own clock."""
        lines = await self.call("vminfo", {}, LOOK_DEADLINE_S, only_first=True)
        found = manager_text.started_at(lines)
        if found is None:
            raise NodeError(f"{self.call.url}/text/vminfo names no startTime: is it Tomcat's?")
        return found

    async def _deploy(
        self, query: dict[str, str], version: str, left_s: float, upload: Path | None
    ) -> str:
        begun_s = time.monotonic()
        # Asked first for one more reason: a password refused in mid-upload breaks the connection.
        there = await self._find(version, left_s)
        if version and there:
            if there.running:
                return f"{self._named(version)} is there already"
            # Perhaps it is starting. Its name tells its bytes, so it is never replaced: starting
            # waits for a start that is under way, and harms nothing that came up meanwhile.
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
        """Take away a version that did not start, lest Tomcat tries it again at its next start."""
        with contextlib.suppress(NodeError):
            there = await self._find(version, _BEFORE_ACT_S)
            if there and not there.running:
                await self.call("undeploy", self._query(version), _BEFORE_ACT_S)

    async def _find(self, version: str, left_s: float) -> Version | None:
        found = await self.versions(min(left_s, _BEFORE_ACT_S))
        return next((one for one in found if one.name == version), None)

    def _query(self, version: str) -> dict[str, str]:
        query = {"path": self.context or "/"}
        return query | {"version": version} if version else query

    def _named(self, version: str) -> str:
        return (self.context or "/") + (f"##{version}" if version else "")


async def _patiently(action: Callable[[float], Awaitable[str]], deadline_s: float) -> str:
    """Do an act when Tomcat is free for it: one that timed out may still be running there."""
    ends_s = time.monotonic() + deadline_s
    while True:
        try:
            return await action(ends_s - time.monotonic())
        except BusyError as busy:
            # What is begun at the last moment only times out, and leaves Tomcat busy once more.
            if ends_s - time.monotonic() < _BUSY_PAUSE_S + _WORTH_A_TRY_S:
                raise NodeError(
                    f"{busy}, still after {deadline_s:g} s; see what keeps Tomcat busy"
                ) from busy
        await asyncio.sleep(_BUSY_PAUSE_S)
