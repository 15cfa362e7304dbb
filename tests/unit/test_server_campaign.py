"""Whatever breaks, and whenever: the rules hold, the deployment ends, no node is left behind.

BIGRED_CAMPAIGN_RUNS and BIGRED_CAMPAIGN_FIRST set the number of seeds and the first; _MACHINES the
number of Hypothesis's stories, which are new every time with BIGRED_CAMPAIGN_RANDOM=1.
"""

import os

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.support.faulty_rig import HAPPENINGS, Run

from bigred_server.testing.simulation import Luck

RUNS = int(os.environ.get("BIGRED_CAMPAIGN_RUNS", "600"))
FIRST = int(os.environ.get("BIGRED_CAMPAIGN_FIRST", "0"))
BATCH = 100
MACHINES = int(os.environ.get("BIGRED_CAMPAIGN_MACHINES", "60"))
RANDOM = os.environ.get("BIGRED_CAMPAIGN_RANDOM", "") == "1"


@pytest.mark.parametrize("first", range(FIRST, FIRST + RUNS, BATCH))
@pytest.mark.timeout(600)
def test_no_fault_breaks_a_rule_or_leaves_a_node_out(first: int) -> None:
    for seed in range(first, min(first + BATCH, FIRST + RUNS)):
        run = Run(seed)
        run.go()
        assert not run.complaints(), run.story()
        assert not run.repaired(), run.story()


class AnyFault(RuleBasedStateMachine):
    """The same, but Hypothesis chooses the faults, and finds the shortest way to a violation."""

    @initialize(seed=st.integers(0, 1_000_000))
    def begins(self, seed: int) -> None:
        self.run = Run(seed)
        self.run.problem = 0.0

    @rule(ticks=st.integers(1, 12), late=st.booleans())
    def time_passes(self, ticks: int, late: bool) -> None:
        for _ in range(ticks):
            self.run.tick(0.5, late=late)

    @rule(what=st.integers(1, HAPPENINGS - 1), name=st.integers(0, 5))
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
            assert not self.run.violations, self.run.story()

    def teardown(self) -> None:
        if hasattr(self, "run"):
            self.run.fleet.luck = lambda _act: Luck.WELL
            self.run.heal()
            self.run.go()
            assert not self.run.complaints(), self.run.story()
            assert not self.run.repaired(), self.run.story()


TestAnyFault = AnyFault.TestCase
TestAnyFault.settings = settings(
    max_examples=MACHINES, stateful_step_count=30, derandomize=not RANDOM
)
