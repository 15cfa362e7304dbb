"""Three strategies, each by another reach, under load: no request fails, no session is lost.

The whole table on four nodes is `./bigred bench strategies`.
"""

import pytest
from tests.support.routes import Route, load_options, roll, site

from bigred_server.rollout.core.policy import Sessions
from bigred_server.rollout.core.target import Strategy
from bigred_server.settings import ReachBy

NODES = 2
RATE = 120.0
USERS = 12


@pytest.mark.parametrize(
    "route",
    [
        Route(Strategy.RESTART, ReachBy.SSH, Sessions.MOVE),
        Route(Strategy.REDEPLOY, ReachBy.MANAGER, Sessions.WAIT),
        Route(Strategy.PARALLEL, ReachBy.LOCAL, Sessions.PARALLEL),
    ],
    ids=str,
)
def test_a_site_is_updated_without_a_failed_request(route: Route) -> None:
    with site(route, NODES) as rig:
        rolled = roll(rig, route, load_options(route, RATE, USERS), "2.0.0")
        assert rolled.faults() == []
        assert rig.serving() == {"node1": "2.0.0", "node2": "2.0.0"}
        assert len(rolled.overheads_s) == NODES
