"""What one HAProxy shows at one moment: all its backends, read in one request."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from bigred_server.errors import HaproxyError, NoBackendError
from bigred_server.haproxy import counts, rows, runtime, tables
from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.endpoint import normalized

_TOTAL = "BACKEND"


@dataclass(frozen=True)
class Snapshot:
    """The tables of the HAProxy whose Runtime API is at `address`; `answer`: their text.

    All apps may share one, so each of its rows is read when somebody needs it.
    """

    address: str
    answer: str
    process: tables.Process
    stats: tables.Table
    states: tables.Table

    def backend(self, name: str) -> BackendLook:
        """Return the look at a backend.

        Raise NoBackendError if HAProxy lacks it, HaproxyError if its rows can't be read.
        """
        try:
            return self._backend(name)
        except (KeyError, ValueError) as error:
            raise _unreadable(self.address, self.answer, error) from error

    def _backend(self, name: str) -> BackendLook:
        if not self.stats.has(name, _TOTAL):
            known = ", ".join(name for name, server in self.stats.cells if server == _TOTAL)
            raise NoBackendError(
                f"HAProxy at {self.address} has no backend {name!r}; available: {known or 'none'}"
            )
        total = self.stats.row(name, _TOTAL)
        servers = {
            server: rows.row(fields, self.states.row(name, server), self._tracked(fields))
            for server in self.stats.names[name]
            if self.states.has(name, server)
            for fields in [self.stats.row(name, server)]
        }
        endpoints = {row.endpoint for row in servers.values()} - {""}
        return BackendLook(
            self.process,
            servers,
            counts.counters(total),
            counts.queued(total),
            counts.is_tcp(total),
            self._sharing(name, endpoints),
        )

    def _tracked(self, fields: Mapping[str, str]) -> rows.CheckSource | None:
        # A tracked server may track another one in turn.
        found, followed = None, set[str]()
        while (name := fields.get("tracked", "")) and name not in followed:
            backend, _, server = name.partition("/")
            if not self.stats.has(backend, server) or not self.states.has(backend, server):
                break
            fields = self.stats.row(backend, server)
            followed.add(name)
            found = rows.CheckSource(fields, self.states.row(backend, server))
        return found

    def _sharing(self, ours: str, endpoints: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the servers of other backends that are at one of these endpoints, by backend."""
        places = sorted(place for one in endpoints for place in self._places.get(one, ()))
        found: dict[str, tuple[str, ...]] = {}
        for _, backend, server in places:
            if backend != ours:
                found[backend] = (*found.get(backend, ()), server)
        return found

    @cached_property
    def _places(self) -> Mapping[str, list[tuple[int, str, str]]]:
        """The servers at each endpoint, with their place in the table."""
        found: dict[str, list[tuple[int, str, str]]] = {}
        addresses = self.stats.column("addr").items()
        for number, ((backend, server), address) in enumerate(addresses):
            if self.states.has(backend, server):
                found.setdefault(normalized(address), []).append((number, backend, server))
        return found


Read = Callable[[str], Awaitable[Snapshot]]
"""What reads the HAProxy at an address."""


async def snapshot(address: str) -> Snapshot:
    """Read a HAProxy's process and tables. Raise HaproxyError on failure."""
    answer = await runtime.command(address, "show info; show servers state; show stat")
    try:
        info, states, stat = answer.strip().split("\n\n")
        return Snapshot(
            address,
            answer,
            tables.process(info),
            tables.stat_table(stat),
            tables.state_table(states),
        )
    except (KeyError, ValueError) as error:
        raise _unreadable(address, answer, error) from error


def _unreadable(address: str, answer: str, error: Exception) -> HaproxyError:
    return HaproxyError(
        f"HAProxy at {address} sent an answer we can't read: {answer[:80]!r} "
        f"({type(error).__name__}: {error}); is this its 'stats socket'?"
    )
