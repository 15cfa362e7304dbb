"""A simulated pool: one or two HAProxies in front of the same nodes, changed and read together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bigred_server.rollout.core.observation import Admin, ServerLook
from bigred_server.testing.simulation.server import SimulatedServer

AWAY = "HAProxy does not answer"


@dataclass
class SimulatedProxy:
    """One HAProxy with a server for each node. `away`: its Runtime API does not answer."""

    servers: dict[str, SimulatedServer]
    pid: int = 1
    away: bool = False

    @classmethod
    def of(cls, names: Iterable[str], maxconn: int | None = None) -> "SimulatedProxy":
        """Return a HAProxy with all nodes in the pool."""
        return cls({name: SimulatedServer(maxconn=maxconn) for name in names})

    def restart(self) -> None:
        """Restart without its states: every server is READY and taken for up."""
        self.pid += 1
        for server in self.servers.values():
            server.forget()


@dataclass
class SimulatedPool:
    """All HAProxies in front of an app."""

    proxies: Sequence[SimulatedProxy]

    @property
    def away(self) -> bool:
        """Whether any HAProxy does not answer."""
        return any(proxy.away for proxy in self.proxies)

    @property
    def pid(self) -> int:
        """A number that changes with every restart."""
        return sum(proxy.pid for proxy in self.proxies)

    def of(self, name: str) -> list[SimulatedServer]:
        """Return a node's server in each HAProxy."""
        return [proxy.servers[name] for proxy in self.proxies]

    def set_state(self, name: str, admin: Admin, now_s: float) -> str:
        """Set a state on every HAProxy that answers; return why not on all, or ""."""
        if admin is Admin.READY:
            if self.away:
                return AWAY
            proven = [server.prove(now_s) for server in self.of(name)]
            if not all(proven):
                return "it has not passed its check"
        for proxy in self.proxies:
            if not proxy.away:
                proxy.servers[name].set(admin, now_s)
        return AWAY if self.away else ""

    def disable_checks(self, name: str) -> None:
        """Disable a server's checks on every HAProxy that answers."""
        for proxy in self.proxies:
            if not proxy.away:
                proxy.servers[name].checks_disabled = True

    def see(self, name: str) -> ServerLook:
        """Return the merged look of all HAProxies at a node: they are trusted only together."""
        if self.away:
            return ServerLook()
        servers = self.of(name)
        ready = [one for one in servers if one.admin is Admin.READY]
        relevant = [one for one in servers if one.admin is Admin.DRAIN] or ready
        limits = [one.maxconn for one in servers if one.maxconn is not None]
        return ServerLook(
            admin=servers[0].admin if len({one.admin for one in servers}) == 1 else Admin.MIXED,
            up=bool(ready) and all(one.up for one in ready),
            fresh=bool(relevant) and all(one.fresh for one in relevant),
            in_flight=sum(len(one.requests) for one in servers),
            checks_disabled=any(one.checks_disabled for one in servers),
            partially_up=0 < sum(one.up for one in ready) < len(servers),
            capacity=sum(limits) if limits else None,
        )
