"""The bench of rolling deployments: Bigred and its peers take turns on one site.

All sites and peers are `./bigred bench roll`.
"""

import pytest
from tests.support.roll_cases import RollCase, Way
from tests.support.roll_peers import peers
from tests.support.roll_site import roll_site

from bigred_server.rollout.core.target import Strategy

RATE = 40.0


@pytest.mark.parametrize(
    ("strategy", "ways"),
    [
        (Strategy.RESTART, (Way.BY_HAND, Way.BIGRED, Way.ANCESTOR)),
        (Strategy.REDEPLOY, (Way.BY_HAND, Way.PUT, Way.BIGRED_COLD)),
        (Strategy.PARALLEL, (Way.BIGRED_COLD, Way.PUT, Way.BIGRED)),
    ],
)
def test_each_deploys_in_turn_and_leaves_the_site_as_the_next_needs_it(
    strategy: Strategy, ways: tuple[Way, ...]
) -> None:
    with roll_site(RollCase(strategy, 2), RATE, slow_per_node=0) as site:
        for way in ways:
            run = site.measured(way, peers(None))
            assert run.seconds > 0
            assert run.requests >= RATE
            if way.is_ours or way is Way.BY_HAND:
                assert run.failed == 0
        assert site.rig.serving() == {"node1": site.version, "node2": site.version}
