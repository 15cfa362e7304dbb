"""Whatever breaks, and whenever: the rules hold, there is an end, and nobody is left out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bigred_broker.messages import Phase
from bigred_server.rollout.act import Act, Kind
from bigred_server.rollout.command import Command
from bigred_server.rollout.deployment import Deployment
from bigred_server.rollout.look import Admin
from bigred_server.rollout.policy import OnDrainDeadline, Policy, Sessions
from bigred_server.rollout.simulation import (
    Build,
    Fate,
    Luck,
    SimulatedFleet,
    SimulatedRollout,
    VirtualClock,
)
from bigred_server.rollout.station import is_proven
from bigred_server.rollout.view import is_serving

RUNS = int(os.environ.get("BIGRED_CAMPAIGN_RUNS", "600"))
FIRST = int(os.environ.get("BIGRED_CAMPAIGN_FIRST", "0"))
BATCH = 100
MACHINES = int(os.environ.get("BIGRED_CAMPAIGN_MACHINES", "60"))
# A crash begins every patience anew, so endless crashes would be an endless deployment.
MOST_CRASHES = 10

OLD = Build("old", "1.0.0")
FOREVER = float("inf")
NEW = {
    "good": Build("new", "1.1.0"),
    "slow": Build("new", "1.1.0", start_s=15.0),
    "never up": Build("new", "1.1.0", start_s=FOREVER),
    "does not stay": Build("new", "1.1.0", lives_s=0.5),
    "dies before its check": Build("new", "1.1.0", lives_s=5.0),
    "dies in the pool": Build("new", "1.1.0", lives_s=25.0),
    "dies late": Build("new", "1.1.0", lives_s=70.0),
    "wrong release": Build("new", "1.1.0", says="1.0.0"),
    "foreign release": Build("new", "1.1.0", says="0.0.1"),
    "answers 500": Build("new", "1.1.0", ok=False),
    "fails the check": Build("new", "1.1.0", passes=False),
}


@dataclass
class Run:
    """One deployment in trouble, told by a seed alone."""

    seed: int
    random: Random = field(init=False)
    kind: str = field(init=False)
    rollout: SimulatedRollout = field(init=False)
    trouble: float = field(init=False)  # the likelihood of trouble in a tick
    crashes: int = 0
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        random = self.random = Random(self.seed)
        self.kind = random.choice(["good"] * 6 + list(NEW))
        self.trouble = random.choice([0.0, 0.02, 0.1, 0.3])
        names = [f"node{number}" for number in range(1, random.choice([1, 2, 3, 3, 4, 6]) + 1)]
        policy = Policy(
            min_healthy=random.randrange(len(names)),
            batch=random.choice([1, 1, 2, 3]),
            sessions=random.choice([Sessions.MOVE, Sessions.MOVE, Sessions.WAIT]),
            sessions_s=random.choice([0.0, 4.0]),
            hold_s=30.0,
            drain_s=random.choice([0.0, 5.0, 8.0]),
            on_drain_deadline=random.choice(list(OnDrainDeadline)),
            stop_s=20.0,
            swap_s=20.0,
            start_s=30.0,
            start_again_s=2.0,
            wrong_answer_s=5.0,
            check_s=15.0,
            progress_s=90.0,
        )
        clock = VirtualClock(random.choice([0.0, 1000.0]))
        fleet = SimulatedFleet.of(names, OLD, NEW[self.kind], policy=policy, clock=clock)
        fleet.random, fleet.arriving = random, self._arriving
        fleet.lasts, fleet.luck = self._lasts, self._luck
        fleet.check_every_s = random.choice([0.5, 1.0, 2.0])
        self.long = random.choice([0.0, 0.0, 0.05])
        self.first = random.random() < 0.1
        if self.first:
            for name in names:
                fleet.nodes[name].end()
                fleet.nodes[name].digest = ""
        deployment = Deployment(
            id="d-1",
            app="shop",
            phase=Phase.PREPARING,
            goal=NEW[self.kind].goal,
            previous=None if self.first else OLD.goal,
        )
        self.rollout = SimulatedRollout(fleet, clock, deployment)
        for name in names:
            if self.trouble and random.random() < 0.05:
                fleet.servers[name].set(Admin.MAINT, clock())
            if self.trouble and random.random() < 0.05:
                fleet.nodes[name].die()

    @property
    def fleet(self) -> SimulatedFleet:
        return self.rollout.fleet

    def _arriving(self, random: Random) -> Sequence[float]:
        taken = [random.choice([0.3, 1.0, 3.0]) for _ in range(random.randrange(3))]
        return [*taken, 500.0] if random.random() < self.long else taken

    def _lasts(self, act: Act) -> float:
        slow = self.random.random() < self.trouble
        return {Kind.STOP: 2.0, Kind.SWAP: 1.0, Kind.START: 0.5, Kind.ADMIT: 1.0}.get(
            act.kind, 0.0
        ) * self.random.random() * (4.0 if slow else 1.0) + (self.random.random() if slow else 0.0)

    def _luck(self, _act: Act) -> Luck:
        if self.random.random() < self.trouble:
            return self.random.choice([Luck.FAILS, Luck.LOST])
        return Luck.WELL

    def _fate(self, act: Act) -> Fate:
        # Commands outlive the server that began them; what it does itself ends with it.
        is_command = act.kind in (Kind.STOP, Kind.START)
        return self.random.choice([Fate.DONE, Fate.LOST, *([Fate.GOES_ON] if is_command else [])])

    def go(self, ticks: int = 4000) -> None:
        """Run to the end; trouble goes on all the time in half of the runs."""
        heals_at = self.random.choice([60, ticks])
        for number in range(ticks):
            if self.rollout.has_ended:
                return
            if number == heals_at:
                self.heal()
            if self.random.random() < self.trouble:
                self._happen()
            self.rollout.tick(
                self.random.choice([0.1, 0.5, 1.0]),
                ends_while_looking=self.random.random() < 0.3,
            )
            if self.fleet.violations:
                return

    def heal(self) -> None:
        """End all trouble."""
        self.trouble = 0.0
        self.fleet.haproxy_away = False
        self.rollout.ask(Command.CONTINUE)
        for name, node in self.fleet.nodes.items():
            node.hangs = False
            if not node.alive:
                self.fleet.revive(name, running=True)

    def _happen(self) -> None:
        # Death, a process that ends and a person's rollback are rarer than the rest.
        what = self.random.randrange(10)
        rare = {3: 0.3, 6: 0.3, 8: 0.2}
        if self.random.random() < rare.get(what, 1.0):
            self.happen(what, self.random.choice(list(self.fleet.nodes)))

    def happen(self, what: int, name: str) -> None:
        """Let one of ten things happen, most of them at one node."""
        self.log.append(f"{self.rollout.clock():.1f} happens {what} at {name}")
        if what == 0:
            self._crash()
        elif what == 1:
            self.fleet.restart_haproxy()
        elif what == 2:
            self.fleet.haproxy_away = not self.fleet.haproxy_away
        elif what == 8:
            self.rollout.ask(self.random.choice(list(Command)))
        else:
            self._happen_at(what, name)

    def _happen_at(self, what: int, name: str) -> None:
        fleet, node, server = self.fleet, self.fleet.nodes[name], self.fleet.servers[name]
        if what == 3:
            node.die()
        elif what == 4 and not node.alive:
            fleet.revive(name, running=self.random.random() < 0.5)
        elif what == 5:
            node.hangs = not node.hangs
        elif what == 6:
            node.end()
        elif what == 7:
            states = [Admin.READY, Admin.DRAIN, Admin.MAINT]
            server.set(self.random.choice(states), fleet.clock())
        elif what == 9:
            server.health = 0

    def _crash(self) -> None:
        if self.crashes < MOST_CRASHES:
            self.crashes += 1
            self.rollout.crash(self._fate)

    def complaints(self) -> list[str]:
        """Name all that is not as it must be, now that the run is over."""
        found = list(self.fleet.violations)
        if not self.rollout.has_ended:
            return [*found, f"no end: {self.rollout.deployment.phase}"]
        deployment, reason = self.rollout.deployment, self.rollout.reason
        match deployment.phase:
            case Phase.SUCCEEDED:
                found += self._not_on(NEW[self.kind])
                found += self._not_out()
            case Phase.ROLLED_BACK:
                found += self._not_on(OLD)
            case Phase.ABORTED:
                found += [f"aborted after {act.kind}" for act in self.fleet.acts]
            case _ if not reason:
                found.append("failed without a reason")
            case _ if not self.first:
                out = self._not_on(OLD)
                found += [f"unnamed {text}" for text in out if text.split(":")[0] not in reason]
        return found

    def _not_on(self, build: Build) -> list[str]:
        deployment, looks = self.rollout.deployment, self.rollout.at_end
        return [
            f"{name}: {looks[name]}"
            for name in deployment.nodes
            if build is OLD or name not in deployment.set_aside
            if not is_serving(looks[name]) or not is_proven(looks[name], build.goal)
        ]

    def _not_out(self) -> list[str]:
        looks, left_out = self.rollout.at_end, self.rollout.deployment.set_aside
        return [f"{name} is in the pool" for name in left_out if is_serving(looks[name])]

    def story(self) -> str:
        """Tell the run, so that it can be understood."""
        lines = [f"{at:.1f} {decision}" for at, decision in self.rollout.decided]
        lines += self.log
        lines.sort(key=lambda line: float(line.split()[0]))
        return "\n".join([f"seed {self.seed}: {self.kind}, {self.fleet.policy}", *lines[-60:]])


@pytest.mark.parametrize("first", range(FIRST, FIRST + RUNS, BATCH))
def test_no_trouble_breaks_a_rule_or_leaves_a_node_out(first: int) -> None:
    for seed in range(first, first + BATCH):
        run = Run(seed)
        run.go()
        assert not run.complaints(), run.story()


class AnyTrouble(RuleBasedStateMachine):
    """The same, but Hypothesis chooses what happens when, and finds the shortest way to a break."""

    @initialize(seed=st.integers(0, 10_000))
    def begins(self, seed: int) -> None:
        self.run = Run(seed)
        self.run.trouble = 0.0

    @rule(ticks=st.integers(1, 12), late=st.booleans())
    def time_passes(self, ticks: int, late: bool) -> None:
        for _ in range(ticks):
            self.run.rollout.tick(0.5, ends_while_looking=late)

    @rule(what=st.integers(1, 9), name=st.integers(0, 5))
    def it_happens(self, what: int, name: int) -> None:
        names = list(self.run.fleet.nodes)
        self.run.happen(what, names[name % len(names)])

    @rule()
    def the_server_dies(self) -> None:
        self.run.happen(0, "")

    @rule(luck=st.sampled_from(Luck))
    def acts_go_so(self, luck: Luck) -> None:
        self.run.fleet.luck = lambda _act: luck

    @invariant()
    def no_rule_is_broken(self) -> None:
        if hasattr(self, "run"):
            assert not self.run.fleet.violations, self.run.story()

    def teardown(self) -> None:
        if hasattr(self, "run"):
            self.run.fleet.luck = lambda _act: Luck.WELL
            self.run.heal()
            self.run.go()
            assert not self.run.complaints(), self.run.story()


TestAnyTrouble = AnyTrouble.TestCase
TestAnyTrouble.settings = settings(
    max_examples=MACHINES, stateful_step_count=30, deadline=None, derandomize=True
)
