"""One backend of one HAProxy: read as a whole, changed by one command at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bigred_server.errors import HaproxyError
from bigred_server.haproxy import rows, runtime
from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.snapshot import Read, snapshot
from bigred_server.model import haproxy_name
from bigred_server.rollout.core.observation import Admin


@dataclass(frozen=True)
class Backend:
    """The backend `name` of the HAProxy whose Runtime API is at `address`; `read` reads it."""

    address: str
    name: str
    read: Read = field(default=snapshot, compare=False, repr=False)

    async def look(self) -> BackendLook:
        """Read process, servers and counters in one request. Raise HaproxyError on failure."""
        return (await self.read(self.address)).backend(self.name)

    async def set_state(self, server: str, state: Admin) -> str:
        """Set a server's administrative state, read it back and return the server's status.

        Raise HaproxyError if HAProxy refuses or the state does not change.
        """
        line = _named(f"{self.name}/{server}")
        await runtime.set_command(self.address, f"set server {line} state {state}")
        seen = await self.row(server)
        if seen.look.admin is not state:
            raise HaproxyError(
                f"HAProxy at {self.address} accepted state {state} for {self.name}/{server} "
                f"but shows {seen.look.admin}"
            )
        return seen.look.status

    async def disable_checks(self, server: str) -> str:
        """Disable HAProxy's checks of a server, so its health stays as it is; return its status.

        Do nothing if the server has no check. Raise HaproxyError as `set_state` does.
        """
        return await self._check(server, "disable", checks_disabled=True)

    async def enable_checks(self, server: str) -> str:
        """Enable HAProxy's checks of a server again; return its status."""
        return await self._check(server, "enable", checks_disabled=False)

    async def _check(self, server: str, verb: str, *, checks_disabled: bool) -> str:
        row = await self.row(server)
        if not row.checked:
            return "no check"
        await runtime.set_command(self.address, f"{verb} health {_named(row.check_of)}")
        seen = await self.row(server)
        if seen.look.checks_disabled is not checks_disabled:
            raise HaproxyError(
                f"HAProxy at {self.address} was told to {verb} the check of {self.name}/{server} "
                f"but shows it still {'on' if checks_disabled else 'off'}"
            )
        return seen.look.status

    async def row(self, server: str) -> rows.ServerRow:
        """Return one server's row. Raise HaproxyError if the backend has no such server."""
        return self._known(server, (await self.look()).servers)

    def _known(self, server: str, known: Mapping[str, rows.ServerRow]) -> rows.ServerRow:
        if server not in known:
            raise HaproxyError(
                f"HAProxy at {self.address}: backend {self.name!r} has no server {server!r}; "
                f"available: {', '.join(known) or 'none'}"
            )
        return known[server]

    async def cut(self, server: str) -> None:
        """Close the sessions that are still open on a server."""
        line = _named(f"{self.name}/{server}")
        await runtime.set_command(self.address, f"shutdown sessions server {line}")

    async def check(self, servers: list[str]) -> None:
        """Raise HaproxyError if we lack admin rights or the backend lacks one of the servers."""
        level = await runtime.command(self.address, "show cli level")
        if level.strip() != "admin":
            raise HaproxyError(
                f"HAProxy at {self.address} grants level {level.strip()!r}; write 'level admin' on "
                "its 'stats socket' line"
            )
        known = (await self.look()).servers
        for server in servers:
            self._known(server, known)


def _named(line: str) -> str:
    """Return a server as "backend/server" for a command. Raise HaproxyError if it isn't one.

    Some of these names come from HAProxy's own answers, which are not to be trusted with more.
    """
    if not all(map(haproxy_name.is_name, line.split("/", 1))) or "/" not in line:
        raise HaproxyError(f"{line!a} is not the name of a server in HAProxy")
    return line
