"""The real fleet of one app: HAProxy's Runtime API, and each node's host, Manager and HTTP port."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx2

from bigred_server.artifacts.store import Store
from bigred_server.errors import NodeError
from bigred_server.fleet.managers import manager_of
from bigred_server.haproxy import hint
from bigred_server.haproxy.merge import PoolLook
from bigred_server.haproxy.pool import Pool
from bigred_server.haproxy.shared_snapshots import SharedSnapshots
from bigred_server.model.release import Release
from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.availability import is_serving
from bigred_server.rollout.core.observation import Admin, NodeLook
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.core.target import Strategy
from bigred_server.settings import AppSettings, Settings
from bigred_server.tomcat import port
from bigred_server.tomcat.hosts import Hosts
from bigred_server.tomcat.node import Node
from bigred_server.tomcat.observed_node import ObservedNode
from bigred_server.tomcat.probe import Probe

# Many apps may be behind one HAProxy, and each looks at another moment.
_RECENT_S = 0.5


@dataclass(frozen=True)
class Memory:
    """What a fleet needs to know from the journal.

    `wanted`: returns the digests to keep on the nodes. `redeploys`: returns how often the app was
    redeployed on a node since a given Unix time.
    """

    wanted: Callable[[], Awaitable[frozenset[str]]]
    redeploys: Callable[[str, float], Awaitable[int]]


class RealFleet:
    """Looks at the nodes of one app and performs the actions of its rollout.

    `hosts` and `snapshots` are shared by the fleets of one process. `known` returns the releases of
    the app. Without a `memory`, the fleet can only look.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        store: Store,
        http: httpx2.AsyncClient,
        hosts: Hosts,
        known: Callable[[], Awaitable[Sequence[Release]]],
        memory: Memory | None = None,
        snapshots: SharedSnapshots | None = None,
    ) -> None:
        self._app: AppSettings = settings.fleets[name]
        self._store = store
        self._known = known
        self._memory = memory
        self._policy = self._app.policy()
        snapshots = snapshots or SharedSnapshots()
        self._pool = Pool.of(self._app.haproxy, snapshots.read)
        self._recent_pool = Pool.of(self._app.haproxy, partial(snapshots.recent, age_s=_RECENT_S))
        context = settings.context_of(name)
        self._nodes = {
            node: Node(hosts.of(one), manager_of(http, one, context), self._app.strategy)
            for node, one in self._app.nodes.items()
        }
        self._observed = {
            name: ObservedNode(
                self._nodes[name], Probe(one.url, self._app.admission), self._app.marker
            )
            for name, one in self._app.nodes.items()
        }

    async def check(self) -> None:
        """Raise HaproxyError if HAProxy lacks a server or the permissions we need."""
        await self._pool.check([self._app.server_of(name) for name in self._nodes])

    async def close(self) -> None:
        """Close all open connections."""
        self.rest()
        for node in self._nodes.values():
            await node.close()

    async def look(self, *, deep: bool, recent: bool = False) -> FleetLook:
        """See Fleet."""
        looking = (self._recent_pool if recent else self._pool).look()
        if deep:
            pool, known = await asyncio.gather(looking, self._known())
        else:
            pool, known = await looking, None
        looks = await asyncio.gather(
            *(self._look(name, pool, known, at_rest=recent) for name in self._nodes)
        )
        nodes = dict(zip(self._nodes, looks, strict=True))
        ours = {self._app.server_of(name) for name in self._nodes}
        served = {name: pool.server(self._app.server_of(name)).served for name in self._nodes}
        return FleetLook(
            nodes,
            pool.pid,
            pool.counters,
            pool.problem,
            pool.queued,
            served,
            pool.coverage,
            pool.sharing,
            {line: _configured(names, ours) for line, names in pool.names.items()},
        )

    async def _look(
        self, name: str, pool: PoolLook, known: Sequence[Release] | None, *, at_rest: bool
    ) -> NodeLook:
        shallow = NodeLook(name, pool.server(self._app.server_of(name)))
        if known is None:
            return shallow
        host, answer = await self._observed[name].look(
            known, in_service=is_serving(shallow), at_rest=at_rest
        )
        return replace(shallow, host=host, answer=answer)

    async def act(self, action: Action) -> str:
        """Perform one action."""
        # It may end in a stop of Tomcat, which would wait for the connection.
        self._observed[action.node].probe.close()
        node, server, policy = (
            self._nodes[action.node],
            self._app.server_of(action.node),
            self._policy,
        )
        match action.kind:
            case ActionKind.DRAIN:
                evidence = await self._pool.set_state(server, Admin.DRAIN)
                # The last count of sessions may be too low: new users were still let in.
                node.forget()
                return evidence
            case ActionKind.MAINT:
                return await self._pool.set_state(server, Admin.MAINT)
            case ActionKind.READY:
                return await self._pool.set_state(server, Admin.READY)
            case ActionKind.CUT:
                await self._pool.cut(server)
                return "requests in flight were cut"
            case ActionKind.FETCH:
                return await self._fetch(node, action)
            case ActionKind.STOP:
                return await node.stop(policy.stop_s)
            case ActionKind.SWAP:
                return await node.swap(action.target.digest)
            case ActionKind.START:
                return await node.start(policy.start_s)
            case ActionKind.DEPLOY:
                return await self._deploy(node, server, action)
            case ActionKind.UNDEPLOY:
                return await node.undeploy(action.version, policy.stop_s)
            case ActionKind.ADMIT:
                evidence = await self._admit(action.node)
                await self._pool.set_state(server, Admin.DRAIN)
                if action.target.strategy is not Strategy.REDEPLOY:
                    return evidence
                # HAProxy's check takes its time now, so this costs none.
                return f"{evidence}; {await self._leftovers(action.node)}"

    def rest(self) -> None:
        """See Fleet."""
        for observed in self._observed.values():
            observed.probe.close()

    async def until_changed(self, look: NodeLook) -> None:
        """See Fleet."""
        if not look.answer.came and look.host.running is not False:
            await port.until_opened(self._app.nodes[look.name].url)
        else:
            server = self._app.server_of(look.name)
            await hint.until_changed(self._pool.backends[0], server, look.pool)

    async def set_state(self, node: str, state: Admin) -> str:
        """Set a node's state in HAProxy, as a person wants it; return the evidence.

        Raise HaproxyError if it can't be set, or if READY and the node does not pass its check.
        """
        return await self._pool.set_state(self._app.server_of(node), state)

    async def copy_war(self, name: str, target: Path) -> None:
        """Copy a node's WAR to a local file. Raise NodeError on failure."""
        await self._nodes[name].copy_war(target)

    async def _fetch(self, node: Node, action: Action) -> str:
        keep = await self._required_memory().wanted()
        source = await asyncio.to_thread(self._store.get, action.target.digest)
        return await node.fetch(source, action.target.digest, keep)

    async def _deploy(self, node: Node, server: str, action: Action) -> str:
        digest = action.target.digest
        # What a node keeps was verified when it was fetched; it is not sent again.
        source = self._store.path(digest)
        if not node.keeps_releases:
            source = await asyncio.to_thread(self._store.get, digest)
        if action.target.strategy is Strategy.PARALLEL:
            # A new version that fails HAProxy's check must not affect users of the old one.
            await self._pool.disable_checks(server)
        deadline_s = self._policy.start_s
        return await node.deploy(source, digest, action.version, deadline_s)

    async def _leftovers(self, name: str) -> str:
        count = partial(self._required_memory().redeploys, name)
        return await self._nodes[name].leftovers(count, self._app.warn_redeploys)

    def _required_memory(self) -> Memory:
        if self._memory is None:
            raise NodeError("this fleet has no journal, so it can only be looked at")
        return self._memory

    async def _admit(self, node: str) -> str:
        limit_s = self._policy.admit_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._observed[node].probe.admit()
        except TimeoutError as error:
            raise NodeError(f"smoke tests and warm-up took longer than {limit_s:g} s") from error


def _configured(names: Sequence[str], ours: Collection[str]) -> str:
    # One Tomcat may have two lines in the first backend; one of them is the node's.
    return next((name for name in names if name in ours), names[0])
