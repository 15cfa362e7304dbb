"""What one HAProxy shows at one moment: all its backends, read in one request."""

from collections.abc import Mapping
from dataclasses import dataclass

from bigred_server.errors import HaproxyError, NoBackendError
from bigred_server.haproxy import counts, rows, runtime, tables
from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.endpoint import normalized

# Server lines and backends by (backend, server); of a backend itself, `server` is _TOTAL.
_Table = Mapping[tuple[str, str], Mapping[str, str]]
_TOTAL = "BACKEND"


@dataclass(frozen=True)
class Snapshot:
    """The tables of the HAProxy whose Runtime API is at `address`; `answer`: their text."""

    address: str
    answer: str
    process: tables.Process
    stats: _Table
    states: _Table

    def backend(self, name: str) -> BackendLook:
        """Return the look at a backend.

        Raise NoBackendError if HAProxy lacks it, HaproxyError if its rows can't be read.
        """
        total = self.stats.get((name, _TOTAL))
        if total is None:
            known = ", ".join(name for name, server in self.stats if server == _TOTAL)
            raise NoBackendError(
                f"HAProxy at {self.address} has no backend {name!r}; available: {known or 'none'}"
            )
        try:
            servers = {
                server: rows.row(
                    fields,
                    self.states[backend, server],
                    _tracked(fields, self.stats, self.states),
                )
                for (backend, server), fields in self.stats.items()
                if backend == name and (backend, server) in self.states
            }
            endpoints = {row.endpoint for row in servers.values()} - {""}
            return BackendLook(
                self.process,
                servers,
                counts.counters(total),
                counts.queued(total),
                counts.is_tcp(total),
                _sharing(name, endpoints, self.stats, self.states),
            )
        except (KeyError, ValueError) as error:
            raise _unreadable(self.address, self.answer, error) from error


async def snapshot(address: str) -> Snapshot:
    """Read a HAProxy's process and tables. Raise HaproxyError on failure."""
    answer = await runtime.command(address, "show info; show servers state; show stat")
    try:
        info, states, stat = answer.strip().split("\n\n")
        return Snapshot(
            address,
            answer,
            tables.process(info),
            {(fields["pxname"], fields["svname"]): fields for fields in tables.stat(stat)},
            {
                (fields["be_name"], fields["srv_name"]): fields
                for fields in tables.server_states(states)
                if "srv_admin_state" in fields
            },
        )
    except (KeyError, ValueError) as error:
        raise _unreadable(address, answer, error) from error


def _unreadable(address: str, answer: str, error: Exception) -> HaproxyError:
    return HaproxyError(
        f"HAProxy at {address} sent an answer we can't read: {answer[:80]!r} "
        f"({type(error).__name__}: {error}); is this its 'stats socket'?"
    )


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
