"""Merge the looks at all backends of an app. Pure, and never more certain than they are.

If one of them can't be read, everything is UNKNOWN: it may still send users to a node that would be
stopped.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bigred_server.haproxy.backend_look import BackendLook
from bigred_server.haproxy.membership import Names
from bigred_server.rollout.core.observation import (
    NOTHING_COUNTED,
    Admin,
    Counters,
    Coverage,
    OutBecause,
    ProcessCounters,
    Served,
    ServerLook,
    ServerRole,
)


@dataclass(frozen=True)
class MemberLook:
    """A look at one backend of one HAProxy; `names`: what it calls the app's servers.

    `is_first`: it must have them all.
    """

    address: str
    backend: str
    look: BackendLook
    names: Names
    is_first: bool = True


@dataclass(frozen=True)
class PoolLook:
    """One observation of an app's backends on all its HAProxies.

    `pid` changes when any of them is a new process; it is None while one can't be read. `counters`:
    the sums of each HAProxy's backends, by its address. `queued`: requests waiting for any of the
    servers. `problem`: which HAProxies could not be read, and why. `sharing`: by each backend that
    is not the app's, its servers that are the app's Tomcats; a backend that is the app's is there
    without servers if none of its servers is a Tomcat of the first one. `names`: what the first
    backend calls a server, by (backend, server): all that it may be.
    """

    pid: int | None = None
    servers: Mapping[str, ServerLook] = field(default_factory=dict)
    counters: Mapping[str, ProcessCounters] = field(default_factory=dict)
    queued: int = 0
    problem: str = ""
    coverage: Coverage = NOTHING_COUNTED
    sharing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def has_nodes(self, backend: str) -> bool:
        """Return whether a backend has a server of the first one."""
        return any(of == backend for of, _ in self.names)

    def server(self, name: str) -> ServerLook:
        """Return the look at a server; it is UNKNOWN if no HAProxy has the server."""
        return self.servers.get(name, ServerLook(problem="" if self.problem else _missing(name)))


def merge(members: Sequence[MemberLook], errors: Sequence[str] = ()) -> PoolLook:
    """Merge the looks at the backends of an app; `errors`: of those that can't be read.

    Without errors, there must be at least one look.
    """
    if errors:
        return PoolLook(problem="; ".join(errors))
    names = dict.fromkeys(name for one in members if one.is_first for name in one.look.servers)
    backends = tuple(dict.fromkeys(one.backend for one in members))
    units = {"connections" if one.look.is_tcp else "requests": None for one in members}
    # Each HAProxy needs servers for its own users.
    is_one = len({one.address for one in members}) == 1
    titles = [one.backend if is_one else f"{one.backend} at {one.address}" for one in members]
    titled = list(zip(titles, members, strict=True))
    return PoolLook(
        pid=_pid(one.look for one in members if one.is_first),
        servers={name: _server(name, titled) for name in names},
        counters=_counters(members),
        queued=sum(one.look.queued for one in members),
        coverage=Coverage(backends, unit=" and ".join(sorted(units, reverse=True))),
        sharing=_sharing(members, backends),
        names=_names(members),
    )


def _names(members: Sequence[MemberLook]) -> Mapping[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for one in members:
        for name, lines in one.names.items():
            for line in lines:
                known = found.get((one.backend, line), ())
                found[one.backend, line] = tuple(dict.fromkeys((*known, name)))
    return found


def _sharing(
    members: Sequence[MemberLook], backends: Sequence[str]
) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for one in members:
        for backend, servers in one.look.sharing.items():
            if backend not in backends:
                found[backend] = tuple(dict.fromkeys((*found.get(backend, ()), *servers)))
    return found


def _server(name: str, members: Sequence[tuple[str, MemberLook]]) -> ServerLook:
    """Merge the looks at one server; `members`: with the name of each backend for people."""
    lacking = [one.address for _, one in members if one.is_first and name not in one.look.servers]
    if lacking:
        return ServerLook(problem=_missing(name, lacking))
    by_backend: dict[str, list[ServerLook]] = {}
    for backend, one in members:
        for known_as in one.names.get(name, ()):
            by_backend.setdefault(backend, []).append(one.look.servers[known_as].look)
    seen = [look for looks in by_backend.values() for look in looks]
    ready = [one for one in seen if one.admin is Admin.READY]
    return ServerLook(
        admin=seen[0].admin if len({one.admin for one in seen}) == 1 else Admin.MIXED,
        up=bool(ready) and all(one.up for one in ready),
        fresh=_fresh(seen),
        in_flight=sum(one.in_flight for one in seen),
        capacity=_capacity(seen),
        checks_disabled=any(one.checks_disabled for one in seen),
        partially_up=0 < sum(one.up for one in ready) < len(seen),
        served=Served(
            sum(one.served.requests for one in seen),
            sum(one.served.errors for one in seen),
            sum(one.served.retried for one in seen),
        ),
        status=_distinct(one.status for one in seen),
        check=_distinct(one.check for one in seen),
        role=_role(seen),
        because=_because(seen),
        backends={
            backend: all(one.admin is Admin.READY and one.up for one in looks)
            for backend, looks in by_backend.items()
        },
    )


def _role(seen: Sequence[ServerLook]) -> ServerRole:
    # It gets the users of one backend or HAProxy, whatever it is in the others.
    roles = {one.role for one in seen}
    return next(role for role in ServerRole if role in roles)


def _because(seen: Sequence[ServerLook]) -> OutBecause | None:
    return next((one.because for one in seen if one.because is not None), None)


def _fresh(seen: Sequence[ServerLook]) -> bool | None:
    # A server that is coming back must pass its check; if there is none, those that serve count.
    relevant = [one for one in seen if one.admin is Admin.DRAIN]
    relevant = relevant or [one for one in seen if one.admin is Admin.READY]
    if not relevant:
        return False
    known = [one.fresh for one in relevant if one.fresh is not None]
    return all(known) if known else None


def _capacity(seen: Iterable[ServerLook]) -> int | None:
    limits = [one.capacity for one in seen]
    known = [limit for limit in limits if limit is not None]
    return sum(known) if len(known) == len(limits) else None


def _distinct(words: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(words))


def _pid(looks: Iterable[BackendLook]) -> int:
    # A number that any journal can store, computed from what identifies the processes.
    processes = [f"{look.process.pid} {look.process.since}" for look in looks]
    return zlib.crc32("\n".join(processes).encode())


def _counters(members: Sequence[MemberLook]) -> dict[str, ProcessCounters]:
    return {
        first.address: ProcessCounters(
            _pid([first.look]),
            _sum(one.look.counters for one in members if one.address == first.address),
        )
        for first in members
        if first.is_first
    }


def _sum(all_counters: Iterable[Counters]) -> Counters:
    parts = list(all_counters)
    return Counters(
        requests=sum(one.requests for one in parts),
        errors_5xx=sum(one.errors_5xx for one in parts),
        retried=sum(one.retried for one in parts),
    )


def _missing(name: str, addresses: Sequence[str] = ()) -> str:
    where = f"HAProxy at {', '.join(addresses)} has" if addresses else "HAProxy has"
    return f"{where} no server {name!r} in the backend; add its line or fix the node's `server`"
