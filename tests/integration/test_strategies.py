"""Three strategies, each by another reach, under load: no request fails, no session is lost.

A good release and a bad one, on a site whose users come by two backends.

The whole table on four nodes is `./bigred bench strategies`.
"""

import pytest
from tests.support.routes import Route, load_options, roll, site

from bigred_broker.messages import Phase
from bigred_server.demo.sample import BuildKind
from bigred_server.rollout.core.policy import Sessions
from bigred_server.rollout.core.target import Strategy
from bigred_server.settings import ReachBy

NODES = 2
RATE = 120.0
USERS = 12
# Some of the users come by another backend of HAProxy.
PATHS = (("shop-basket", "/shop/basket"),)


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
    with site(route, NODES, PATHS) as rig:
        asked = load_options(route, RATE, USERS)
        rolled = roll(rig, route, asked, "2.0.0")
        assert rolled.faults() == []
        assert rig.serving() == {"node1": "2.0.0", "node2": "2.0.0"}
        assert len(rolled.overheads_s) == NODES
        bad = roll(rig, route, asked, "3.0.0", BuildKind.ANSWERS_500)
        assert bad.faults(Phase.ROLLED_BACK) == []
        assert rig.serving() == {"node1": "2.0.0", "node2": "2.0.0"}
        for one in (rolled, bad):
            assert one.backends == ("shop", "shop-basket")
