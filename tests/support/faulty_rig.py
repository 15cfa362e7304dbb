"""One simulated deployment with faults, determined by a seed alone: everything can happen."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.support.inspection import Inspection
from tests.support.scene import Scene

from bigred_server.judge.judgement import Cause, Judgement
from bigred_server.model.command import Command
from bigred_server.model.hook import Hook, HookState
from bigred_server.model.verdict import Verdict
from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.observation import Admin
from bigred_server.testing.simulation import ActionFate, Luck, SimulatedFleet, SimulatedRollout

# A crash restarts every deadline, so endless crashes would be an endless deployment.
MOST_CRASHES = 10
HAPPENINGS = 16
_RARE = {3: 0.3, 6: 0.3, 8: 0.2, 12: 0.3, 13: 0.3}


@dataclass
class Run:
    """One deployment; `problem` is the likelihood of a fault in a tick."""

    seed: int
    random: Random = field(init=False)
    scene: Scene = field(init=False)
    rollout: SimulatedRollout = field(init=False)
    problem: float = field(init=False)
    crashes: int = 0
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        random = self.random = Random(self.seed)
        self.scene = Scene.drawn(random)
        self.problem = random.choice([0.0, 0.02, 0.1, 0.3])
        self.rollout = self.scene.rollout()
        fleet = self.fleet
        fleet.lasts, fleet.luck = self._lasts, self._luck
        self.rollout.hooks.goes = self._hook
        for name in fleet.nodes:
            if self.problem and random.random() < 0.05:
                for server in fleet.pool.of(name):
                    server.set(Admin.MAINT, fleet.clock())
            if self.problem and random.random() < 0.05:
                fleet.nodes[name].die()

    @property
    def fleet(self) -> SimulatedFleet:
        return self.rollout.fleet

    def _lasts(self, action: Action) -> float:
        slow = self.random.random() < self.problem
        usual = {
            ActionKind.STOP: 2.0,
            ActionKind.SWAP: 1.0,
            ActionKind.START: 0.5,
            ActionKind.ADMIT: 1.0,
            ActionKind.FETCH: 1.0,
        }
        lasts_s = usual.get(action.kind, 0.0) * self.random.random() * (4.0 if slow else 1.0)
        return lasts_s + (self.random.random() if slow else 0.0)

    def _luck(self, action: Action) -> Luck:
        if self.random.random() >= self.problem:
            return Luck.WELL
        # Our HAProxy adapter reads every state back, so its outcomes are true.
        by_haproxy = action.kind in (
            ActionKind.DRAIN,
            ActionKind.MAINT,
            ActionKind.READY,
            ActionKind.ADMIT,
        )
        return self.random.choice([Luck.FAILS, Luck.LOST, *([] if by_haproxy else [Luck.LIES])])

    def _hook(self, _hook: Hook) -> tuple[float, HookState]:
        fails = self.random.random() < self.problem
        return 3.0 * self.random.random(), HookState.FAILED if fails else HookState.DONE

    def _fate(self, action: Action) -> ActionFate:
        # Commands outlive the server that started them; what it does itself ends with it. The
        # Manager carries on with its request.
        goes_on = action.kind in (
            ActionKind.STOP,
            ActionKind.START,
            ActionKind.DEPLOY,
            ActionKind.UNDEPLOY,
        )
        return self.random.choice(
            [ActionFate.DONE, ActionFate.LOST, *([ActionFate.GOES_ON] if goes_on else [])]
        )

    def go(self, ticks: int = 4000) -> None:
        """Run to the end; in half of the runs faults never stop."""
        heals_at = self.random.choice([60, ticks])
        for number in range(ticks):
            if self.rollout.has_ended or self.violations:
                return
            if number == heals_at:
                self.heal()
            if self.random.random() < self.problem:
                self._happen()
            late = self.random.random() < 0.3
            self.tick(self.random.choice([0.1, 0.5, 1.0]), late=late)

    def tick(self, tick_s: float, *, late: bool) -> None:
        """Let a tick pass; without a fault, the judge soon says pass."""
        if self.rollout.judgement is None or self.random.random() < 0.05:
            self.rollout.judgement = Judgement(self._verdict(), Cause.BUILD, "is not well")
        self.rollout.tick(tick_s, ends_while_looking=late)

    def _verdict(self) -> Verdict:
        if self.random.random() < self.problem:
            return self.random.choice(list(Verdict))
        return Verdict.PASS

    @property
    def violations(self) -> list[str]:
        return [*self.fleet.violations, *self.rollout.hooks.violations]

    def heal(self) -> None:
        """End all faults."""
        self.problem = 0.0
        self.rollout.judgement = Judgement(Verdict.PASS)
        self.scene.long = 0.0
        for proxy in self.fleet.pool.proxies:
            proxy.away = False
            for server in proxy.servers.values():
                server.requests = [end for end in server.requests if end < self.rollout.clock() + 9]
        self.rollout.ask(Command.CONTINUE)
        for name, node in self.fleet.nodes.items():
            node.hangs = False
            node.free = 1 << 40
            for context in (node.contexts or {}).values():
                context.works = context.works or self.scene.builds[context.digest].starts
            if not node.alive or (node.kept is None and node.contexts is None):
                self.fleet.revive(name, running=True)

    def _happen(self) -> None:
        # A dead node, a process that ends and a person's command are rarer than the rest.
        what = self.random.randrange(HAPPENINGS)
        if self.random.random() < _RARE.get(what, 1.0):
            self.happen(what, self.random.choice(list(self.fleet.nodes)))

    def happen(self, what: int, name: str) -> None:
        """Make one of many things happen, most of them at one node."""
        self.log.append(f"{self.rollout.clock():.1f} happens {what} at {name}")
        pool = self.fleet.pool
        number = self.random.randrange(len(pool.proxies))
        if what == 0:
            self._crash()
        elif what == 1:
            self.fleet.restart_haproxy(number)
        elif what == 2:
            pool.proxies[number].away = not pool.proxies[number].away
        elif what == 8:
            self.rollout.ask(self.random.choice(list(Command)))
        elif what == 14:
            verdict = self.random.choice(list(Verdict))
            self.rollout.judgement = Judgement(verdict, self.random.choice(list(Cause)), "is bad")
        else:
            self._happen_at(what, name, number)

    def _happen_at(self, what: int, name: str, number: int) -> None:
        fleet, node = self.fleet, self.fleet.nodes[name]
        server = fleet.pool.proxies[number].servers[name]
        effects: dict[int, Callable[[], None]] = {
            3: node.die,
            4: lambda: fleet.revive(name, running=self.random.random() < 0.5),
            5: lambda: setattr(node, "hangs", not node.hangs and node.contexts is not None),
            6: node.end,
            7: lambda: server.set(self.random.choice(_BY_HAND), fleet.clock()),
            9: lambda: setattr(server, "health", 0),
            10: lambda: setattr(node, "free", self.random.choice([1 << 20, 1 << 40])),
            11: lambda: node.kept.clear() if node.kept else None,
            12: self._stop_context(name),
            13: lambda: setattr(server, "checks_disabled", not server.checks_disabled),
            15: lambda: server.requests.append(fleet.clock() + 500.0),
        }
        if what != 4 or not node.alive:
            effects[what]()

    def _stop_context(self, name: str) -> Callable[[], None]:
        """Return an action that stops a version by hand."""

        def stop() -> None:
            contexts = self.fleet.nodes[name].contexts
            if contexts and self.fleet.nodes[name].has_manager:
                contexts[self.random.choice(sorted(contexts))].works = False

        return stop

    def _crash(self) -> None:
        if self.crashes < MOST_CRASHES:
            self.crashes += 1
            self.rollout.crash(self._fate)

    def complaints(self) -> list[str]:
        """Name everything that is wrong at the end of the run."""
        return self.violations + Inspection(self.rollout, self.scene).complaints()

    def repaired(self) -> list[str]:
        """End all faults and run maintenance; name what is still wrong."""
        self.heal()
        left = Inspection(self.rollout, self.scene).left_behind(self.random)
        return self.violations + left

    def story(self) -> str:
        """Describe the run, so that it can be understood."""
        lines = [f"{at:.1f} {decision}" for at, decision in self.rollout.decided]
        lines += self.log
        lines.sort(key=lambda line: float(line.split()[0]))
        return "\n".join([f"seed {self.seed}: {self.scene}", *lines[-60:]])


_BY_HAND = [Admin.READY, Admin.DRAIN, Admin.MAINT]
