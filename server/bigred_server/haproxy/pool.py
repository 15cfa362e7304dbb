"""All HAProxies in front of one app: read, changed and trusted only as one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from bigred_server.errors import HaproxyAwayError, HaproxyError
from bigred_server.haproxy.backend import Backend
from bigred_server.haproxy.merge import PoolLook, merge
from bigred_server.haproxy.runtime import DEADLINE_S
from bigred_server.haproxy.server_lines import lines_of, look_at
from bigred_server.haproxy.snapshot import Read, snapshot
from bigred_server.rollout.core.observation import Admin, ServerLook
from bigred_server.settings import HaproxySettings

_POLL_S = 0.05

T = TypeVar("T")
# A command to one server of one backend.
_Command = Callable[[Backend, str], Awaitable[str]]


@dataclass(frozen=True)
class Pool:
    """The backends of an app on one HAProxy or several; the first backend has all its servers.

    A command ends within 2 s: either every HAProxy has done it in every backend that has the
    server, or an error names those that have not. READY takes up to `check_s` longer if a HAProxy
    has not checked the server since it was out of service: the server must pass a check there
    first. If HAProxy can't show whether a check is new, a server that leaves MAINT waits for
    `blind_check_s` instead. `unmanaged`: other backends that may have the same Tomcats.
    """

    backends: tuple[Backend, ...]
    unmanaged: frozenset[str] = frozenset()
    check_s: float = 10.0
    blind_check_s: float = 5.0

    @classmethod
    def of(cls, settings: HaproxySettings, read: Read = snapshot) -> "Pool":
        """Return the pool of an app; `read` reads each HAProxy."""
        backends = tuple(
            Backend(socket, name, read) for socket in settings.sockets for name in settings.backends
        )
        return cls(backends, frozenset(settings.unmanaged))

    async def look(self) -> PoolLook:
        """Read all HAProxies at once. Never raise: `problem` names those that can't be read."""
        seen = await self._gather(look_at)
        members = [one for found in seen.values() if isinstance(found, list) for one in found]
        pool = merge(members, [str(one) for one in seen.values() if isinstance(one, HaproxyError)])
        foreign = {name: of for name, of in pool.sharing.items() if name not in self.unmanaged}
        if not pool.problem:
            foreign |= {one.name: () for one in self.backends if not pool.has_nodes(one.name)}
        left_alone = tuple(name for name in pool.sharing if name in self.unmanaged)
        return replace(pool, sharing=foreign, coverage=replace(pool.coverage, unmanaged=left_alone))

    async def set_state(self, server: str, state: Admin) -> str:
        """Set a server's state on all HAProxies, read it back from all and return its status.

        Disabled checks are enabled again. Before READY, the server must pass a fresh check on every
        HAProxy that has it in MAINT or DRAIN. Raise HaproxyError on failure.
        """
        if state is Admin.READY:
            patience_s = max(self.check_s, self.blind_check_s) + 2 * DEADLINE_S
            await self._all(server, self._await_check, patience_s)
        status = await self._all(server, lambda one, name: self._set(one, name, state))
        await self._all(server, lambda one, name: _follow(one, name, state), followers=True)
        return status

    async def disable_checks(self, server: str) -> str:
        """Disable a server's checks on all HAProxies: it stays up, whatever a check would show.

        For the time in which a new version is deployed alongside the one that serves: if the new
        version made the check fail, users of the old one would be dropped. `enable_checks` and
        every `set_state` end it. Raise HaproxyError on failure.
        """
        return await self._all(server, Backend.disable_checks)

    async def enable_checks(self, server: str) -> str:
        """Enable a server's checks on all HAProxies again. Raise HaproxyError on failure."""
        return await self._all(server, Backend.enable_checks)

    async def cut(self, server: str) -> None:
        """Close the sessions still open on a server. Raise HaproxyError on failure."""

        async def cut(one: Backend, name: str) -> str:
            await one.cut(name)
            return ""

        await self._all(server, cut)
        await self._all(server, cut, followers=True)

    async def check(self, servers: list[str]) -> None:
        """Raise HaproxyError if a HAProxy denies us admin rights or lacks one of the servers."""

        async def check(first: Backend, *_others: Backend) -> str:
            await first.check(servers)
            return ""

        _joined(await self._gather(check))

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
        self,
        server: str,
        command: _Command,
        deadline_s: float = DEADLINE_S,
        *,
        followers: bool = False,
    ) -> str:
        """Command the leading lines of a server on each HAProxy, or those that follow them."""

        async def everywhere(first: Backend, *others: Backend) -> str:
            lines = await lines_of(server, first, *others)
            work = (command(*line) for line in (lines.followers if followers else lines.leaders))
            # One that fails must not leave the others half done.
            answers = await asyncio.gather(*work, return_exceptions=True)
            for answer in answers:
                if isinstance(answer, BaseException):
                    raise answer
            return " / ".join(dict.fromkeys(map(str, answers)))

        return _joined(await self._gather(everywhere, deadline_s))

    async def _gather(
        self, work: Callable[..., Awaitable[T]], deadline_s: float = DEADLINE_S
    ) -> dict[str, T | HaproxyError]:
        """Do something on each HAProxy, by its address; `work` takes its backends."""
        at: dict[str, list[Backend]] = {}
        for backend in self.backends:
            at.setdefault(backend.address, []).append(backend)

        async def one(address: str, backends: Sequence[Backend]) -> T | HaproxyError:
            try:
                async with asyncio.timeout(deadline_s):
                    return await work(*backends)
            except HaproxyError as error:
                return error
            except TimeoutError:
                return HaproxyAwayError(f"HAProxy at {address}: not done in {deadline_s:g} s")

        answers = await asyncio.gather(*(one(*entry) for entry in at.items()))
        return dict(zip(at, answers, strict=True))


async def _follow(one: Backend, name: str, state: Admin) -> str:
    """Set a line that tracks another one, if it has a state of its own."""
    seen = (await one.row(name)).look
    return seen.status if seen.admin is state else await one.set_state(name, state)


def _joined(results: Mapping[str, str | HaproxyError]) -> str:
    """Return the distinct answers of the HAProxies. Raise HaproxyError if one has failed."""
    if failed := [str(one) for one in results.values() if isinstance(one, HaproxyError)]:
        done = [at for at, one in results.items() if isinstance(one, str)]
        also = f" (done at {', '.join(done)})" if done else ""
        away = all(isinstance(one, (HaproxyAwayError, str)) for one in results.values())
        raise (HaproxyAwayError if away else HaproxyError)("; ".join(failed) + also)
    return " / ".join(dict.fromkeys(one for one in results.values() if isinstance(one, str)))


def _status(seen: ServerLook) -> str:
    return f"{seen.status} {seen.check}".strip()
