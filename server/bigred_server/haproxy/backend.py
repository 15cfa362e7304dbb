"""One backend of one HAProxy: read as a whole, changed by one command at a time."""

from collections.abc import Mapping
from dataclasses import dataclass

from bigred_server.errors import HaproxyError, NoBackendError
from bigred_server.haproxy import counts, rows, runtime, tables
from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.endpoint import normalized
from bigred_server.rollout.core.observation import Admin

# Server lines and backends by (backend, server); of a backend itself, `server` is _TOTAL.
_Table = Mapping[tuple[str, str], Mapping[str, str]]
_TOTAL = "BACKEND"


@dataclass(frozen=True)
class Backend:
    """The backend `name` of the HAProxy whose Runtime API is at `address`."""

    address: str
    name: str

    async def look(self) -> BackendLook:
        """Read process, servers and counters in one request. Raise HaproxyError on failure."""
        commands = "show info; show servers state; show stat"
        answer = await runtime.command(self.address, commands)
        try:
            info, states, stat = answer.strip().split("\n\n")
            return self._read(tables.process(info), tables.server_states(states), tables.stat(stat))
        except (KeyError, ValueError) as error:
            raise HaproxyError(
                f"HAProxy at {self.address} sent an answer we can't read: {answer[:80]!r} "
                f"({type(error).__name__}: {error}); is this its 'stats socket'?"
            ) from error

    def _read(
        self,
        process: tables.Process,
        lines: list[Mapping[str, str]],
        table: list[Mapping[str, str]],
    ) -> BackendLook:
        # Raises KeyError or ValueError if this is not what HAProxy prints.
        states = {
            (fields["be_name"], fields["srv_name"]): fields
            for fields in lines
            if "srv_admin_state" in fields
        }
        stats = {(fields["pxname"], fields["svname"]): fields for fields in table}
        total = stats.get((self.name, _TOTAL))
        if total is None:
            known = ", ".join(name for name, server in stats if server == _TOTAL)
            raise NoBackendError(
                f"HAProxy at {self.address} has no backend {self.name!r}; "
                f"available: {known or 'none'}"
            )
        servers = {
            name: rows.row(fields, states[backend, name], _tracked(fields, stats, states))
            for (backend, name), fields in stats.items()
            if backend == self.name and (backend, name) in states
        }
        endpoints = {row.endpoint for row in servers.values()} - {""}
        return BackendLook(
            process,
            servers,
            counts.counters(total),
            counts.queued(total),
            counts.is_tcp(total),
            _sharing(self.name, endpoints, stats, states),
        )

    async def set_state(self, server: str, state: Admin) -> str:
        """Set a server's administrative state, read it back and return the server's status.

        Raise HaproxyError if HAProxy refuses or the state does not change.
        """
        await runtime.set_command(self.address, f"set server {self.name}/{server} state {state}")
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
        await runtime.set_command(self.address, f"{verb} health {row.check_of}")
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
        await runtime.set_command(self.address, f"shutdown sessions server {self.name}/{server}")

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


def _tracked(fields: Mapping[str, str], stats: _Table, states: _Table) -> rows.CheckSource | None:
    # A tracked server may track another one in turn.
    found, followed = None, set[str]()
    while (name := fields.get("tracked", "")) and name not in followed:
        backend, _, server = name.partition("/")
        if (backend, server) not in stats or (backend, server) not in states:
            break
        fields = stats[backend, server]
        followed.add(name)
        found = rows.CheckSource(fields, states[backend, server])
    return found


def _sharing(
    ours: str, endpoints: set[str], stats: _Table, states: _Table
) -> dict[str, tuple[str, ...]]:
    """Return the servers of other backends that are at one of these endpoints, by backend."""
    found: dict[str, tuple[str, ...]] = {}
    for (backend, server), fields in stats.items():
        is_other = backend != ours and (backend, server) in states
        if is_other and normalized(fields.get("addr", "")) in endpoints:
            found[backend] = (*found.get(backend, ()), server)
    return found
