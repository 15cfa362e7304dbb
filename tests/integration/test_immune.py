"""A bad build on a real site: noticed after a few requests, and rolled back automatically.

Ten bad builds and ten good ones on four nodes are `./bigred bench immune`.
"""

import pytest
from tests.support.rig import Rig, rig, wait_rarely

from bigred_broker.messages import Phase
from bigred_server.demo.load import LoadOptions, shopping
from bigred_server.demo.options import DemoOptions
from bigred_server.demo.sample import BuildKind

JUDGE = {"mode": "rollback", "warmup_s": 60.0, "extend_s": 20.0}


def site(**judge: object) -> DemoOptions:
    more = {
        "apps.shop.judge": {**JUDGE, **judge},
        "apps.shop.judge.probes": {"paths": ("/shop/", "/shop/basket"), "per_s": 20.0},
        "apps.shop.bake": {"canary_s": 2.0},
    }
    return DemoOptions(more=more)  # type: ignore[arg-type]


def noted(place: Rig, deployment: str) -> list[str]:
    return [text for _, text in place.journal.events(deployment) if text.startswith("judge: ")]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (BuildKind.ERRORS_20, "failed "),
        (BuildKind.ERRORS_ON_ORDERS, "all of them on /shop/order"),
    ],
)
def test_a_build_that_fails_its_users_is_rolled_back_and_marked_bad(
    kind: BuildKind, reason: str
) -> None:
    with rig(3, site()) as place:
        with shopping(place.demo_site.folder, place.demo_site.url, LoadOptions(150.0)) as load:
            wait_rarely(lambda: load.counts().requests > 300, 20, "users have come")
            gone = place.deploy("1.1.0", kind)
            assert place.ended(gone) is Phase.ROLLED_BACK
            slip = place.receipt(gone)
            assert slip["reason"].startswith("shop 1.1.0 failed ")
            assert reason in slip["reason"]
            assert "on node1" in slip["reason"]
            said = slip["judgement"]
            assert said["relative"] >= 100
            # All errors that users received: as many as they counted themselves.
            assert 0 < said["failed"] <= said["requests"] < 400
            assert said["lost"] == 0
            assert any("rollback" in text for text in noted(place, gone))
            again = place.deploy("1.2.0")
            place.succeeds(again)
        assert said["failed"] == load.counts().failed
        assert set(place.serving().values()) == {"1.2.0"}


def test_without_users_a_bad_build_is_found_by_paired_probes() -> None:
    with rig(3, site(inconclusive="probe")) as place:
        gone = place.deploy("1.1.0", BuildKind.ERRORS_20)
        assert place.ended(gone) is Phase.ROLLED_BACK
        assert "probe requests" in place.receipt(gone)["reason"]


def test_without_users_and_probes_it_is_held_and_people_decide() -> None:
    with rig(3, site(extend_s=2.0)) as place:
        gone = place.deploy("1.1.0")

        def is_held() -> bool:
            return place.state().phase is Phase.HOLDING

        wait_rarely(is_held, 60, "it is held")
        assert "too little traffic to judge" in place.state().reason
        place.bigred("continue")
        place.succeeds(gone)
