"""What several HAProxies say of one backend, put together: pure, and never more sure than they.

One that can't be read leaves everything UNKNOWN: a node that it still sends users to would be
stopped under them.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bigred_server.haproxy.backend import BackendLook
from bigred_server.haproxy.rows import ServerRow
from bigred_server.rollout.core.observation import Admin, Counters, Served


@dataclass(frozen=True)
class ServerLook:
    """One server as all HAProxies see it; the words are those of a NodeLook.

    `status` and `check`: each HAProxy's own, once where all say the same.
    """

    admin: Admin = Admin.UNKNOWN
    up: bool = False
    fresh: bool | None = False
    in_flight: int = 0
    capacity: int | None = None
    checks_disabled: bool = False
    partially_up: bool = False
    served: Served = field(default_factory=Served)
    status: str = ""
    check: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class PoolLook:
    """A backend on all its HAProxies, seen once.

    `pid` changes when any of them is another process; it and `counters`, their sum, are None while
    one can't be read. `queued`: requests that wait for any server at all. `trouble`: which of them
    could not be read, and why.
    """

    pid: int | None = None
    servers: Mapping[str, ServerLook] = field(default_factory=dict)
    counters: Counters | None = None
    queued: int = 0
    trouble: str = ""

    def server(self, name: str) -> ServerLook:
        """Give what is known of a server: of one that nobody has, that it is UNKNOWN."""
        return self.servers.get(name, ServerLook(trouble="" if self.trouble else _missing(name)))


def merge(looks: Mapping[str, BackendLook], troubles: Sequence[str] = ()) -> PoolLook:
    """Put together what the HAProxies at these addresses say; `troubles` of those that say nothing.

    The looks must be at least one where there is no trouble.
    """
    if troubles:
        return PoolLook(trouble="; ".join(troubles))
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
    rows = [look.servers[name] for look in looks.values()]
    ready = [row for row in rows if row.admin is Admin.READY]
    return ServerLook(
        admin=rows[0].admin if len({row.admin for row in rows}) == 1 else Admin.MIXED,
        up=bool(ready) and all(row.up for row in ready),
        fresh=_fresh(rows),
        in_flight=sum(row.in_flight for row in rows),
        capacity=_capacity(rows),
        checks_disabled=any(row.checks_disabled for row in rows),
        partially_up=0 < sum(row.up for row in ready) < len(rows),
        served=Served(
            sum(row.served.requests for row in rows),
            sum(row.served.errors for row in rows),
            sum(row.served.retried for row in rows),
        ),
        status=_told(row.status for row in rows),
        check=_told(row.check for row in rows),
    )


def _fresh(rows: Sequence[ServerRow]) -> bool | None:
    # Who is on the way back has to pass its check; where nobody is, those that serve tell.
    asked = [row for row in rows if row.admin is Admin.DRAIN]
    asked = asked or [row for row in rows if row.admin is Admin.READY]
    if not asked:
        return False
    told = [row.fresh for row in asked if row.fresh is not None]
    return all(told) if told else None


def _capacity(rows: Iterable[ServerRow]) -> int | None:
    limits = [row.capacity for row in rows]
    known = [limit for limit in limits if limit is not None]
    return sum(known) if len(known) == len(limits) else None


def _told(words: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(words))


def _pid(looks: Iterable[BackendLook]) -> int:
    # A number that every journal can keep, made of what no other process has.
    processes = [f"{look.process.pid} {look.process.since}" for look in looks]
    return zlib.crc32("\n".join(processes).encode())


def _sum(all_counters: Iterable[Counters]) -> Counters:
    told = list(all_counters)
    return Counters(
        requests=sum(one.requests for one in told),
        errors_5xx=sum(one.errors_5xx for one in told),
        retried=sum(one.retried for one in told),
    )


def _missing(name: str, addresses: Sequence[str] = ()) -> str:
    where = f"HAProxy at {', '.join(addresses)} has" if addresses else "HAProxy has"
    return f"{where} no server {name!r} in the backend; add its line, or mend the node's `server`"
