"""All HAProxies in front of one app: read, changed and trusted only as one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from bigred_server.errors import HaproxyAwayError, HaproxyError
from bigred_server.haproxy.backend import Backend
from bigred_server.haproxy.merge import PoolLook, merge
from bigred_server.haproxy.rows import BackendLook
from bigred_server.haproxy.runtime import DEADLINE_S
from bigred_server.rollout.core.observation import Admin, ServerLook
from bigred_server.settings import HaproxySettings

_POLL_S = 0.05

T = TypeVar("T")


@dataclass(frozen=True)
class Pool:
    """The same backend on one HAProxy or several.

    A command ends within 2 s: either every HAProxy has done it, or an error names those that have
    not. READY takes up to `check_s` longer if a HAProxy has not checked the server since it was out
    of service: the server must pass a check there first. If HAProxy can't show whether a check is
    new, a server that leaves MAINT waits for `blind_check_s` instead.
    """

    backends: tuple[Backend, ...]
    check_s: float = 10.0
    blind_check_s: float = 5.0

    @classmethod
    def of(cls, settings: HaproxySettings) -> "Pool":
        """Return the pool of an app."""
        return cls(tuple(Backend(socket, settings.backend) for socket in settings.sockets))

    async def look(self) -> PoolLook:
        """Read all HAProxies at once. Never raise: `trouble` names those that can't be read."""
        seen = await self._gather(Backend.look)
        looks = {at: look for at, look in seen.items() if isinstance(look, BackendLook)}
        return merge(looks, [str(one) for one in seen.values() if isinstance(one, HaproxyError)])

    async def set_state(self, server: str, state: Admin) -> str:
        """Set a server's state on all HAProxies, read it back from all and return its status.

        Disabled checks are enabled again. Before READY, the server must pass a fresh check on every
        HAProxy that has it in MAINT or DRAIN. Raise HaproxyError on failure.
        """
        if state is Admin.READY:
            patience_s = max(self.check_s, self.blind_check_s) + 2 * DEADLINE_S
            await self._all(lambda one: self._await_check(one, server), patience_s)
        return await self._all(lambda one: self._set(one, server, state))

    async def disable_checks(self, server: str) -> str:
        """Disable a server's checks on all HAProxies: it stays up, whatever a check would show.

        For the time in which a new version is deployed alongside the one that serves: if the new
        version made the check fail, users of the old one would be dropped. `enable_checks` and
        every `set_state` end it. Raise HaproxyError on failure.
        """
        return await self._all(lambda one: one.disable_checks(server))

    async def enable_checks(self, server: str) -> str:
        """Enable a server's checks on all HAProxies again. Raise HaproxyError on failure."""
        return await self._all(lambda one: one.enable_checks(server))

    async def cut(self, server: str) -> None:
        """Close the sessions still open on a server. Raise HaproxyError on failure."""

        async def cut(one: Backend) -> str:
            await one.cut(server)
            return ""

        await self._all(cut)

    async def check(self, servers: list[str]) -> None:
        """Raise HaproxyError if a HAProxy denies us admin rights or lacks one of the servers."""

        async def check(one: Backend) -> str:
            await one.check(servers)
            return ""

        await self._all(check)

    async def _set(self, one: Backend, server: str, state: Admin) -> str:
        # Before MAINT: a check that is disabled in MAINT would run there once it is enabled again.
        if (await one.row(server)).look.checks_disabled:
            await one.enable_checks(server)
        return await one.set_state(server, state)

    async def _await_check(self, one: Backend, server: str) -> str:
        seen = (await one.row(server)).look
        renewed = seen.admin is Admin.MAINT or (seen.admin is Admin.DRAIN and seen.checks_disabled)
        if renewed:
            if seen.checks_disabled:
                await one.enable_checks(server)
            # Only after MAINT does HAProxy show whether a check is newer than the change.
            await one.set_state(server, Admin.MAINT)
            await one.set_state(server, Admin.DRAIN)
            seen = (await one.row(server)).look
        if seen.admin is Admin.READY:
            return seen.status
        if seen.fresh is None:
            await asyncio.sleep(self.blind_check_s if renewed else 0)
            return seen.status
        return await self._fresh(one, server, seen)

    async def _fresh(self, one: Backend, server: str, seen: ServerLook) -> str:
        end_s = asyncio.get_running_loop().time() + self.check_s
        while not seen.fresh:
            if asyncio.get_running_loop().time() > end_s:
                raise HaproxyError(
                    f"HAProxy at {one.address}: {one.name}/{server} has not passed its check in "
                    f"{self.check_s:g} s: {_status(seen)}; it stays in DRAIN"
                )
            await asyncio.sleep(_POLL_S)
            seen = (await one.row(server)).look
        return seen.status

    async def _all(
        self, command: Callable[[Backend], Awaitable[str]], deadline_s: float = DEADLINE_S
    ) -> str:
        results = await self._gather(command, deadline_s)
        if failed := [str(one) for one in results.values() if isinstance(one, HaproxyError)]:
            done = [at for at, one in results.items() if isinstance(one, str)]
            also = f" (done at {', '.join(done)})" if done else ""
            away = all(isinstance(one, (HaproxyAwayError, str)) for one in results.values())
            raise (HaproxyAwayError if away else HaproxyError)("; ".join(failed) + also)
        return " / ".join(dict.fromkeys(one for one in results.values() if isinstance(one, str)))

    async def _gather(
        self, command: Callable[[Backend], Awaitable[T]], deadline_s: float = DEADLINE_S
    ) -> dict[str, T | HaproxyError]:
        async def one(backend: Backend) -> T | HaproxyError:
            try:
                async with asyncio.timeout(deadline_s):
                    return await command(backend)
            except HaproxyError as error:
                return error
            except TimeoutError:
                return HaproxyAwayError(
                    f"HAProxy at {backend.address}: not done in {deadline_s:g} s"
                )

        answers = await asyncio.gather(*map(one, self.backends))
        return {b.address: a for b, a in zip(self.backends, answers, strict=True)}


def _status(seen: ServerLook) -> str:
    return f"{seen.status} {seen.check}".strip()
