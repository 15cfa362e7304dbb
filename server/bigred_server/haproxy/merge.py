"""Merge the looks of several HAProxies at one backend. Pure, and never more certain than they are.

If one of them can't be read, everything is UNKNOWN: it may still send users to a node that would be
stopped.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bigred_server.haproxy.rows import BackendLook
from bigred_server.rollout.core.observation import Admin, Counters, Served, ServerLook


@dataclass(frozen=True)
class PoolLook:
    """One observation of a backend on all its HAProxies.

    `pid` changes when any of them is a new process; it and `counters`, their sum, are None while
    one can't be read. `queued`: requests waiting for any of the servers. `trouble`: which HAProxies
    could not be read, and why.
    """

    pid: int | None = None
    servers: Mapping[str, ServerLook] = field(default_factory=dict)
    counters: Counters | None = None
    queued: int = 0
    trouble: str = ""

    def server(self, name: str) -> ServerLook:
        """Return the look at a server; it is UNKNOWN if no HAProxy has the server."""
        return self.servers.get(name, ServerLook(trouble="" if self.trouble else _missing(name)))


def merge(looks: Mapping[str, BackendLook], errors: Sequence[str] = ()) -> PoolLook:
    """Merge the looks of the HAProxies at these addresses; `errors`: of those that can't be read.

    Without errors, there must be at least one look.
    """
    if errors:
        return PoolLook(trouble="; ".join(errors))
    names = dict.fromkeys(name for look in looks.values() for name in look.servers)
    return PoolLook(
        pid=_pid(looks.values()),
        servers={name: _server(name, looks) for name in names},
        counters=_sum(look.counters for look in looks.values()),
        queued=sum(look.queued for look in looks.values()),
    )


def _server(name: str, looks: Mapping[str, BackendLook]) -> ServerLook:
    lacking = [address for address, look in looks.items() if name not in look.servers]
    if lacking:
        return ServerLook(trouble=_missing(name, lacking))
    seen = [look.servers[name].look for look in looks.values()]
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
    )


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
