"""One backend of one HAProxy: looked at as a whole, told one thing at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

from bigred_server.errors import HaproxyError
from bigred_server.haproxy import rows, runtime
from bigred_server.rollout.look import Admin, Counters


@dataclass(frozen=True)
class BackendLook:
    """A backend seen once. A new `pid` means that HAProxy was reloaded or restarted."""

    pid: int
    servers: dict[str, rows.Row]
    counters: Counters


@dataclass(frozen=True)
class Backend:
    """The backend `name` behind the Runtime API at `address`."""

    address: str
    name: str

    async def look(self) -> BackendLook:
        """Read pid, servers and counters. Raises HaproxyError."""
        info = await runtime.command(self.address, "show info")
        states = await runtime.command(self.address, f"show servers state {self.name}")
        stat = await runtime.command(self.address, "show stat")
        try:
            return self._read(info, states, rows.stat(stat))
        except (KeyError, ValueError) as error:
            raise HaproxyError(
                f"what answers at {self.address} is no HAProxy that we know: {stat[:80]!r} "
                f"({type(error).__name__}: {error})"
            ) from error

    def _read(self, info: str, states: str, table: list[Mapping[str, str]]) -> BackendLook:
        # Raises KeyError and ValueError on anything that HAProxy does not say.
        admins = {
            fields["srv_name"]: rows.admin(int(fields["srv_admin_state"]))
            for fields in rows.server_states(states)
            if "srv_admin_state" in fields
        }
        ours = [fields for fields in table if fields["pxname"] == self.name]
        total = next((fields for fields in ours if fields["svname"] == "BACKEND"), None)
        if total is None:
            there = ", ".join(f["pxname"] for f in table if f["svname"] == "BACKEND")
            raise HaproxyError(
                f"HAProxy at {self.address} has no backend {self.name!r}; it has: {there or 'none'}"
            )
        servers = {
            fields["svname"]: rows.row(fields, admins[fields["svname"]])
            for fields in ours
            if fields["svname"] in admins
        }
        return BackendLook(rows.pid(info), servers, rows.counters(total))

    async def set_state(self, server: str, state: Admin) -> str:
        """Set a server's administrative state and read it back; give the row's status.

        Raises HaproxyError when HAProxy refuses, or does not do it.
        """
        await runtime.order(self.address, f"set server {self.name}/{server} state {state}")
        seen = (await self.look()).servers.get(server)
        if seen is None or seen.admin is not state:
            raise HaproxyError(
                f"HAProxy at {self.address} was told {self.name}/{server} is {state} and shows "
                f"{seen.admin if seen else 'no such server'}"
            )
        return seen.status

    async def cut(self, server: str) -> None:
        """End the sessions that are still open on a server."""
        await runtime.order(self.address, f"shutdown sessions server {self.name}/{server}")

    async def check(self, servers: list[str]) -> None:
        """Raise HaproxyError when we lack the rights, or a server is not in the backend."""
        level = await runtime.command(self.address, "show cli level")
        if level.strip() != "admin":
            raise HaproxyError(
                f"HAProxy at {self.address} gives level {level.strip()!r}: write 'level admin' on "
                "its 'stats socket' line"
            )
        known = (await self.look()).servers
        for server in servers:
            if server not in known:
                raise HaproxyError(
                    f"HAProxy's backend {self.name!r} has no server {server!r}; "
                    f"it has: {', '.join(known) or 'none'}"
                )
