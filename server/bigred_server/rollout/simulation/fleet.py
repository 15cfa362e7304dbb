"""A fleet in memory, on a clock that is handed in: what a rollout may meet, and what it may break.

It can do what the real one can do worst: acts fail, or succeed and their answer is lost; HAProxy
goes away, or restarts and forgets; nodes die, hang, return. It keeps a list of what a rollout must
never do and did (`violations`).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from bigred_server.errors import NodeError
from bigred_server.rollout.act import Act, Kind
from bigred_server.rollout.fleet import FleetLook
from bigred_server.rollout.look import Admin, Counters, NodeLook
from bigred_server.rollout.policy import Policy
from bigred_server.rollout.simulation.build import Build
from bigred_server.rollout.simulation.node import SimulatedNode
from bigred_server.rollout.simulation.rules import broken_rules
from bigred_server.rollout.simulation.server import FULL, SimulatedServer

_BY_HAPROXY = {
    Kind.DRAIN: Admin.DRAIN,
    Kind.MAINT: Admin.MAINT,
    Kind.READY: Admin.READY,
    Kind.ADMIT: Admin.DRAIN,
}
_NEEDS_NODE = frozenset({Kind.STOP, Kind.SWAP, Kind.START, Kind.ADMIT})


class Luck(StrEnum):
    """How an act goes: as told, not at all, or as told with its answer lost."""

    WELL = "well"
    FAILS = "fails"
    LOST = "lost"


@dataclass(frozen=True)
class Running:
    """An act that was begun, and when (seconds of the fleet's clock) it will have ended."""

    act: Act
    until_s: float
    luck: Luck


@dataclass
class VirtualClock:
    """Seconds that pass when somebody says so."""

    now_s: float = 0.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now_s


def _no_requests(_random: Random) -> Sequence[float]:
    return ()


def _always_well(_act: Act) -> Luck:
    return Luck.WELL


def _at_once(_act: Act) -> float:
    return 0.0


@dataclass
class SimulatedFleet:
    """All nodes of an app and the HAProxy before them; see `Fleet` for `look` and `act`.

    `arriving` gives how long (s) each request takes that comes to one server in one check interval;
    `lasts` how long (s) an act takes; `luck` how it goes.
    """

    builds: Mapping[str, Build]
    nodes: dict[str, SimulatedNode]
    servers: dict[str, SimulatedServer]
    policy: Policy
    clock: Callable[[], float]
    random: Random = field(default_factory=lambda: Random(0))  # noqa: S311
    check_every_s: float = 1.0
    arriving: Callable[[Random], Sequence[float]] = _no_requests
    lasts: Callable[[Act], float] = _at_once
    luck: Callable[[Act], Luck] = _always_well
    pid: int = 1
    haproxy_away: bool = False
    served: int = 0
    violations: list[str] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    _checked_at_s: float | None = None

    @classmethod
    def of(
        cls, names: Sequence[str], live: Build, *others: Build, policy: Policy, clock: VirtualClock
    ) -> "SimulatedFleet":
        """Make a fleet that serves `live` on all nodes and knows the other builds."""
        builds = {build.digest: build for build in (live, *others)}
        return cls(
            builds=builds,
            nodes={name: SimulatedNode(builds, live.digest, live.digest) for name in names},
            servers={name: SimulatedServer() for name in names},
            policy=policy,
            clock=clock,
        )

    async def look(self, *, deep: bool) -> FleetLook:
        """Look at all nodes."""
        return self.see()

    async def act(self, act: Act) -> str:
        """Do one act, in the time that it lasts. Raises NodeError when it fails."""
        running = self.begin(act)
        await asyncio.sleep(running.until_s - self.clock())
        if failure := self.finish(running):
            raise NodeError(failure)
        return "done"

    def see(self) -> FleetLook:
        """Look at all nodes, now."""
        self.advance()
        nodes = {name: self._see(name) for name in self.nodes}
        if self.haproxy_away:
            return FleetLook(nodes, None, None, "HAProxy is away")
        return FleetLook(nodes, self.pid, Counters(self.served, 0, 0))

    def _see(self, name: str) -> NodeLook:
        node, server = self.nodes[name], self.servers[name]
        known = not self.haproxy_away
        return NodeLook(
            name=name,
            admin=server.admin if known else Admin.UNKNOWN,
            up=known and server.up,
            fresh=known and server.health == FULL,
            in_flight=len(server.requests) if known else 0,
            digest=node.digest if node.alive else None,
            running=node.running is not None if node.alive else None,
            answer=node.answer(self.clock()),
        )

    def begin(self, act: Act, *, again: bool = False) -> Running:
        """Begin an act; `again` when MAINT is said again to a node where another act runs."""
        self.advance()
        self.acts.append(act)
        self.violations += broken_rules(self, act, again=again)
        running = Running(act, self.clock() + self.lasts(act), self.luck(act))
        node = self.nodes[act.node]
        if act.kind is Kind.STOP and running.luck is not Luck.FAILS and node.running is not None:
            node.stopping = True
        return running

    def finish(self, running: Running) -> str:
        """End an act; give why it failed, or ""."""
        self.advance()
        act = running.act
        if running.luck is Luck.FAILS:
            return "it was not done"
        if act.kind in _NEEDS_NODE and not self.nodes[act.node].alive:
            return "the node is away"
        if self.haproxy_away and (act.kind in _BY_HAPROXY or act.kind is Kind.CUT):
            return "HAProxy is away"
        self._do(act)
        return "no answer came in time" if running.luck is Luck.LOST else ""

    def undo(self, running: Running) -> None:
        """Have an act that was begun never happen."""
        if running.act.kind is Kind.STOP:
            self.nodes[running.act.node].stopping = False

    def _do(self, act: Act) -> None:
        node, server = self.nodes[act.node], self.servers[act.node]
        match act.kind:
            case Kind.STOP if node.stopping:
                # Only the process that it told to end: another may have been started since.
                node.end()
            case Kind.STOP:
                pass
            case Kind.SWAP:
                node.digest = act.goal.digest
            case Kind.START:
                node.start(self.clock())
            case Kind.CUT:
                server.requests.clear()
            case _:
                server.set(_BY_HAPROXY[act.kind], self.clock())

    def advance(self) -> None:
        """Bring everything up to the clock: processes, requests, HAProxy's checks."""
        now_s = self.clock()
        for name, node in self.nodes.items():
            node.age(now_s)
            self.servers[name].answer_due(now_s, process_is_gone=node.running is None)
        if self._checked_at_s is None:
            self._checked_at_s = now_s
        while now_s - self._checked_at_s >= self.check_every_s:
            self._checked_at_s += self.check_every_s
            for name in self.nodes:
                self._check(name, now_s)

    def _check(self, name: str, now_s: float) -> None:
        node, server = self.nodes[name], self.servers[name]
        if not self.haproxy_away and node.answer(now_s).came and server.takes_friends:
            coming = self.arriving(self.random)
            taken = coming if server.takes_strangers else coming[:1]
            self.served += len(taken)
            server.requests += [now_s + lasts_s for lasts_s in taken]
        server.check(passes=node.passes(now_s))

    def restart_haproxy(self) -> None:
        """Have HAProxy restarted without its states: every server is READY, and taken for up."""
        self.pid += 1
        self.served = 0
        for server in self.servers.values():
            server.forget()

    def revive(self, name: str, *, running: bool) -> None:
        """Have a machine back, with its Tomcat started or not."""
        node = self.nodes[name]
        node.alive = True
        if running:
            node.start(self.clock())
