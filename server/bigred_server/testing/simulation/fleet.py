"""A fleet in memory, on a clock of the caller's.

It can fail in all the ways a real fleet can: actions fail, or succeed and their answer is lost, or
report success falsely; HAProxy becomes unreachable, or restarts and loses its states; nodes die,
hang and return. `violations` lists what a rollout must never do and did.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from bigred_server.errors import NodeError
from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.observation import Counters, HostLook, NodeLook, ProcessCounters
from bigred_server.rollout.core.policy import Policy
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.core.target import Strategy
from bigred_server.testing.simulation.build import SimulatedBuild
from bigred_server.testing.simulation.effects import do, starting_s
from bigred_server.testing.simulation.luck import Luck, RunningAction
from bigred_server.testing.simulation.node import SimulatedNode
from bigred_server.testing.simulation.pool import AWAY, SimulatedPool
from bigred_server.testing.simulation.rules import broken_rules
from bigred_server.testing.simulation.server import SimulatedServer

_NEEDS_NODE = frozenset(ActionKind) - {
    ActionKind.DRAIN,
    ActionKind.MAINT,
    ActionKind.READY,
    ActionKind.CUT,
}


def _no_requests(_random: Random) -> Sequence[float]:
    return ()


def _always_well(_act: Action) -> Luck:
    return Luck.WELL


def _at_once(_act: Action) -> float:
    return 0.0


@dataclass
class SimulatedFleet:
    """All nodes of an app and the HAProxies in front of them; see `Fleet` for `look` and `act`.

    `arriving`: returns the durations (s) of the requests that reach one server in one check
    interval; `stays_s`: the longest life of a session that such requests may start. `lasts`:
    returns how long (s) an action takes; `luck`: returns how it goes. `rested`: whether it was told
    to rest.
    """

    builds: Mapping[str, SimulatedBuild]
    nodes: dict[str, SimulatedNode]
    pool: SimulatedPool
    policy: Policy
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Random = field(default_factory=lambda: Random(0))  # noqa: S311
    check_every_s: float = 1.0
    arriving: Callable[[Random], Sequence[float]] = _no_requests
    stays_s: float = 0.0
    lasts: Callable[[Action], float] = _at_once
    luck: Callable[[Action], Luck] = _always_well
    served: int = 0
    violations: list[str] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    rested: bool = False
    _checked_at_s: float | None = None

    @property
    def servers(self) -> dict[str, SimulatedServer]:
        """The servers of the first HAProxy."""
        return self.pool.proxies[0].servers

    async def look(self, *, deep: bool, recent: bool = False) -> FleetLook:
        """Look at all nodes."""
        return self.see()

    async def act(self, action: Action) -> str:
        """Perform one action, in the time that it takes. Raise NodeError if it fails."""
        running = self.begin(action)
        await self.sleep(running.until_s - self.clock())
        if failure := self.finish(running):
            raise NodeError(failure)
        return "done"

    def rest(self) -> None:
        """See Fleet; there are no connections."""
        self.rested = True

    async def until_changed(self, look: NodeLook) -> None:
        """Never return: its clock stands still while nothing waits by it."""
        await asyncio.Event().wait()

    def see(self) -> FleetLook:
        """Look at all nodes, now."""
        self.advance()
        nodes = {name: self._see(name) for name in self.nodes}
        if self.pool.away:
            return FleetLook(nodes, None, {}, AWAY)
        counted = ProcessCounters(self.pool.pid, Counters(self.served, 0, 0))
        return FleetLook(nodes, self.pool.pid, {"": counted})

    def _see(self, name: str) -> NodeLook:
        node, now_s = self.nodes[name], self.clock()
        host = HostLook(
            digest=node.seen_digest(now_s),
            running=node.seen_running(now_s),
            kept=None if node.kept is None or not node.alive else frozenset(node.kept),
            free=None if node.kept is None or not node.alive else node.free,
            versions=node.versions(now_s),
        )
        return NodeLook(name, self.pool.see(name), host, node.answer(now_s))

    def begin(self, action: Action, *, again: bool = False) -> RunningAction:
        """Begin an action; `again`: it closes a node again on which another action is running."""
        self.advance()
        self.actions.append(action)
        self.violations += broken_rules(self, action, again=again)
        luck = self.luck(action)
        node = self.nodes[action.node]
        if (
            action.kind is ActionKind.STOP
            and luck in (Luck.WELL, Luck.LOST)
            and node.contexts is not None
        ):
            node.stopping = True
        if action.kind is ActionKind.DEPLOY and action.target.strategy is Strategy.PARALLEL:
            self.pool.disable_checks(action.node)
        return RunningAction(
            action, self.clock() + self.lasts(action) + starting_s(self, action), luck
        )

    def finish(self, running: RunningAction) -> str:
        """End an action; return why it failed, or ""."""
        self.advance()
        action = running.action
        if running.luck is Luck.FAILS:
            return "it was not done"
        if running.luck is Luck.LIES:
            return ""
        if action.kind in _NEEDS_NODE and not self.nodes[action.node].alive:
            return "the node is away"
        failure = do(self, action)
        return "no answer came in time" if running.luck is Luck.LOST else failure

    def undo(self, running: RunningAction) -> None:
        """Undo the beginning of an action, as if it had never begun."""
        if running.action.kind is ActionKind.STOP:
            self.nodes[running.action.node].stopping = False

    def advance(self) -> None:
        """Advance everything to the clock's time: processes, sessions, requests, checks."""
        now_s = self.clock()
        for name, node in self.nodes.items():
            node.age(now_s)
            for server in self.pool.of(name):
                server.answer_due(now_s, process_is_gone=node.contexts is None)
        if self._checked_at_s is None:
            self._checked_at_s = now_s
        while now_s - self._checked_at_s >= self.check_every_s:
            self._checked_at_s += self.check_every_s
            for name in self.nodes:
                for server in self.pool.of(name):
                    self._check(self.nodes[name], server, now_s)

    def _check(self, node: SimulatedNode, server: SimulatedServer, now_s: float) -> None:
        if node.answer(now_s).came and server.accepts_sticky_users:
            arriving = self.arriving(self.random)
            accepted = arriving if server.accepts_new_users else arriving[:1]
            if server.maxconn is not None:
                accepted = accepted[: max(0, server.maxconn - len(server.requests))]
            self.served += len(accepted)
            server.requests += [now_s + lasts_s for lasts_s in accepted]
            first = node.front(now_s)
            if accepted and first and self.stays_s and server.accepts_new_users:
                first.sessions.append(now_s + self.stays_s * self.random.random())
        server.check(passes=node.passes(now_s))

    def restart_haproxy(self, number: int = 0) -> None:
        """Restart a HAProxy, which loses its states."""
        self.served = 0
        self.pool.proxies[number].restart()

    def revive(self, name: str, *, running: bool) -> None:
        """Bring a machine back, with Tomcat started or not."""
        node = self.nodes[name]
        node.alive = True
        if running:
            node.start(self.clock())
