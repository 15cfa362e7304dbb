"""The judge in simulated worlds: a few cells of its bench, compared with its targets."""

import os

import numpy as np
import pytest
from tests.bench.judge import MOST_FALSE, cost_ms, judged
from tests.support.worlds import World, drawn

# The whole test run has more cells than the fast one.
ROLLOUTS = int(os.environ.get("BIGRED_JUDGE_ROLLOUTS", "60"))


@pytest.mark.parametrize(
    "world",
    [
        World("good", 4, 10.0),
        World("outage", 4, 10.0, outage=True),
        World("clumped", 4, 10.0, clumped=True),
        World("sticky", 4, 10.0, sticky=True),
        World("bot", 4, 10.0, bot=True),
    ],
    ids=lambda world: world.name,
)
def test_a_good_build_is_not_rolled_back(world: World) -> None:
    random = np.random.default_rng(1)
    back = sum(judged(drawn(world, random))[0] is not None for _ in range(ROLLOUTS))
    assert back <= MOST_FALSE * ROLLOUTS


@pytest.mark.parametrize(
    ("world", "most"),
    [
        (World("fails 20 %", 4, 10.0, worse=0.2), 40),
        (World("fails 5 %", 4, 10.0, worse=0.05), 200),
        (World("takes x2", 4, 10.0, times=2.0), 120),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_a_bad_build_is_caught_from_few_requests(world: World, most: int) -> None:
    random = np.random.default_rng(2)
    asked = [judged(drawn(world, random))[0] for _ in range(ROLLOUTS)]
    assert None not in asked
    assert np.median([one for one in asked if one is not None]) <= most


@pytest.mark.alone
def test_a_look_is_judged_quickly() -> None:
    assert cost_ms() < 20
