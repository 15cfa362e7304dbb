"""All HAProxies before one app: read together, told together, believed only together."""

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
    """The same backend behind one Runtime API or several.

    An order ends within 2 s, done by all or an error that says by whom it was not. READY takes up
    to `check_s` more where a HAProxy has not checked the server since it was away: it passes its
    check there first, or, out of MAINT and with no sign of checks, waits for `blind_check_s`.
    """

    backends: tuple[Backend, ...]
    check_s: float = 10.0
    blind_check_s: float = 5.0

    @classmethod
    def of(cls, settings: HaproxySettings) -> "Pool":
        """Make the pool of an app."""
        return cls(tuple(Backend(socket, settings.backend) for socket in settings.sockets))

    async def look(self) -> PoolLook:
        """Read all of them at once. Never raises: who can't be read is told as `trouble`."""
        seen = await self._gather(Backend.look)
        looks = {at: look for at, look in seen.items() if isinstance(look, BackendLook)}
        return merge(looks, [str(one) for one in seen.values() if isinstance(one, HaproxyError)])

    async def set_state(self, server: str, state: Admin) -> str:
        """Set a server's state on all and read it back from all; give its status.

        No server goes from MAINT to READY, or from a hushed check, without a fresh check, whoever
        of them it is that needs it; a check that was hushed is on again. Raises HaproxyError.
        """
        if state is Admin.READY:
            patience_s = max(self.check_s, self.blind_check_s) + 2 * DEADLINE_S
            await self._all(lambda one: self._prove(one, server), patience_s)
        return await self._all(lambda one: self._set(one, server, state))

    async def disable_checks(self, server: str) -> str:
        """Have none of them check a server any more: it stays up, whatever its checks would say.

        For the time in which a version is put beside the one that serves: were the new one to make
        the check fail, the users of the old one would be dropped. `unhush` ends it, and every
        `set_state`. Raises HaproxyError.
        """
        return await self._all(lambda one: one.disable_checks(server))

    async def enable_checks(self, server: str) -> str:
        """Have all of them check a server again. Raises HaproxyError."""
        return await self._all(lambda one: one.enable_checks(server))

    async def cut(self, server: str) -> None:
        """End the sessions that are still open on a server. Raises HaproxyError."""

        async def cut(one: Backend) -> str:
            await one.cut(server)
            return ""

        await self._all(cut)

    async def check(self, servers: list[str]) -> None:
        """Raise HaproxyError where one of them denies us what we need, or lacks a server."""

        async def check(one: Backend) -> str:
            await one.check(servers)
            return ""

        await self._all(check)

    async def _set(self, one: Backend, server: str, state: Admin) -> str:
        # Before MAINT: a check that is hushed then would run in MAINT once it is on again.
        if (await one.row(server)).look.checks_disabled:
            await one.enable_checks(server)
        return await one.set_state(server, state)

    async def _prove(self, one: Backend, server: str) -> str:
        seen = (await one.row(server)).look
        renewed = seen.admin is Admin.MAINT or (seen.admin is Admin.DRAIN and seen.checks_disabled)
        if renewed:
            if seen.checks_disabled:
                await one.enable_checks(server)
            # Out of MAINT, and only so, HAProxy shows whether a check is newer than the change.
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
                    f"{self.check_s:g} s: {_words(seen)}; it stays in DRAIN"
                )
            await asyncio.sleep(_POLL_S)
            seen = (await one.row(server)).look
        return seen.status

    async def _all(
        self, order: Callable[[Backend], Awaitable[str]], deadline_s: float = DEADLINE_S
    ) -> str:
        told = await self._gather(order, deadline_s)
        if failed := [str(one) for one in told.values() if isinstance(one, HaproxyError)]:
            done = [at for at, one in told.items() if isinstance(one, str)]
            also = f" (done at {', '.join(done)})" if done else ""
            away = all(isinstance(one, (HaproxyAwayError, str)) for one in told.values())
            raise (HaproxyAwayError if away else HaproxyError)("; ".join(failed) + also)
        return " / ".join(dict.fromkeys(one for one in told.values() if isinstance(one, str)))

    async def _gather(
        self, ask: Callable[[Backend], Awaitable[T]], deadline_s: float = DEADLINE_S
    ) -> dict[str, T | HaproxyError]:
        async def one(backend: Backend) -> T | HaproxyError:
            try:
                async with asyncio.timeout(deadline_s):
                    return await ask(backend)
            except HaproxyError as error:
                return error
            except TimeoutError:
                return HaproxyAwayError(
                    f"HAProxy at {backend.address}: not done in {deadline_s:g} s"
                )

        answers = await asyncio.gather(*map(one, self.backends))
        return {b.address: a for b, a in zip(self.backends, answers, strict=True)}


def _words(seen: ServerLook) -> str:
    return f"{seen.status} {seen.check}".strip()
