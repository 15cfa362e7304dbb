"""Whether the users of every backend keep enough nodes; and who may begin a deployment at all."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.looks import changed
from tests.support.views import NEW, OLD, ON_NEW, ON_OLD, Given, deployment, kinds, view

from bigred_broker.messages import Phase
from bigred_server.rollout.core import availability
from bigred_server.rollout.core.action import ActionKind
from bigred_server.rollout.core.decide import decide
from bigred_server.rollout.core.observation import Looks, NodeLook, ServerRole
from bigred_server.rollout.core.policy import Policy, share
from bigred_server.rollout.core.view import View

BOTH = {"shop": True, "live": True}
ONE = {"shop": True}
IN_BOTH = changed(ON_OLD, backends=BOTH)
IN_ONE = changed(ON_OLD, backends=ONE)
BACKUP = changed(ON_OLD, role=ServerRole.BACKUP, backends=ONE)
UNWEIGHTED = changed(ON_OLD, role=ServerRole.UNWEIGHTED, backends=ONE)


def policy(nodes: int) -> Policy:
    return Policy(min_healthy=share(None, nodes))


def preparing(sharing: dict[str, tuple[str, ...]] | None = None, **looks: Any) -> View:
    these = deployment(Phase.PREPARING, (), OLD, target=NEW)
    seen = view(these, policy=policy(len(looks)), **looks)
    return replace(seen, sharing=sharing or {})


@pytest.mark.parametrize(
    ("looks", "needed"),
    [
        ({"a": IN_ONE, "b": IN_ONE}, 1),
        ({"a": IN_ONE, "b": BACKUP}, 0),
        ({"a": IN_ONE, "b": IN_ONE, "c": BACKUP}, 1),
        ({"a": IN_ONE, "b": IN_ONE, "c": IN_ONE, "d": UNWEIGHTED}, 2),
    ],
)
def test_only_active_nodes_count_for_min_healthy(looks: Looks, needed: int) -> None:
    assert availability.min_healthy(looks, policy(len(looks))) == needed


def test_a_hot_standby_serves_while_the_only_active_node_is_updated() -> None:
    decision = decide(preparing(a=IN_ONE, b=BACKUP))
    assert (decision.phase, decision.nodes) == (Phase.CANARY, ("a", "b"))


def test_a_node_of_weight_0_serves_nobody_while_the_only_active_node_is_updated() -> None:
    rolling = view(deployment(nodes=("a", "b")), policy=policy(2), a=IN_ONE, b=UNWEIGHTED)
    assert not rolling.may_remove(["a"])
    assert rolling.may_remove(["b"])


def test_backups_and_nodes_of_weight_0_are_updated_last() -> None:
    decision = decide(preparing(a=BACKUP, b=UNWEIGHTED, c=IN_ONE, d=IN_ONE))
    assert decision.nodes == ("c", "d", "a", "b")


def test_a_backend_with_one_of_the_nodes_prevents_every_deployment() -> None:
    decision = decide(preparing(a=IN_BOTH, b=IN_ONE, c=IN_ONE))
    assert decision.phase is Phase.ABORTED
    assert decision.reason.startswith("one node serves in the backend live: updating it")


def test_a_backend_with_some_of_the_nodes_keeps_one_of_them() -> None:
    looks: Given = {"a": IN_BOTH, "b": IN_BOTH, "c": IN_ONE, "d": IN_ONE}
    rolling = view(deployment(nodes=tuple(looks)), policy=Policy(min_healthy=1, batch=3), **looks)
    assert rolling.may_remove(["a", "c", "d"])
    assert not rolling.may_remove(["a", "b"])
    decision = decide(replace(rolling, policy=Policy(min_healthy=1, batch=4)))
    assert {name for name, kind in kinds(decision).items() if kind is ActionKind.MAINT} == {
        "a",
        "c",
        "d",
    }


def test_a_backend_whose_other_nodes_are_down_there_keeps_its_last_one() -> None:
    down = changed(IN_BOTH, backends={"shop": True, "live": False})
    rolling = view(deployment(nodes=("a", "b")), policy=policy(2), a=IN_BOTH, b=down, c=IN_ONE)
    assert not rolling.may_remove(["a"])
    assert rolling.may_remove(["b"])


def test_min_healthy_0_accepts_an_outage_everywhere() -> None:
    looks = {"a": IN_BOTH, "b": IN_ONE}
    assert availability.obstacle(looks, {}, Policy(min_healthy=0)) == ""


def test_a_backend_that_is_not_the_apps_prevents_every_deployment() -> None:
    decision = decide(preparing({"live": ("x1", "x2")}, a=IN_ONE, b=IN_ONE))
    assert decision.phase is Phase.ABORTED
    assert decision.reason == (
        "the backend live (x1, x2) has the same Tomcats, and a deployment could cut off its users; "
        "add it to `backend`, or to `unmanaged` if that does no harm"
    )
    assert decision.actions == ()


def test_it_does_not_stop_a_deployment_that_has_begun() -> None:
    begun = view(deployment(nodes=("a", "b")), policy=policy(2), a=ON_NEW, b=IN_ONE)
    assert decide(replace(begun, sharing={"live": ("x1",)})).phase is Phase.ROLLING


def test_a_named_backend_with_none_of_the_nodes_prevents_every_deployment() -> None:
    reason = decide(preparing({"tls": ()}, a=IN_ONE, b=IN_ONE)).reason
    assert reason.startswith("the backend tls has none of the app's nodes")


def test_a_repair_is_no_exception() -> None:
    these = deployment(Phase.PREPARING, (), None, target=OLD, mends="a")
    seen = replace(view(these, policy=policy(2), a=IN_ONE, b=IN_ONE), sharing={"live": ("x1",)})
    assert decide(seen).phase is Phase.ABORTED


@pytest.mark.parametrize("other", [UNWEIGHTED, changed(BACKUP, up=False, backends={"shop": False})])
def test_nothing_begins_if_nobody_could_take_over_a_nodes_users(other: NodeLook) -> None:
    decision = decide(preparing(a=IN_ONE, b=other))
    assert decision.phase is Phase.ABORTED
    assert decision.reason.startswith("only one active node serves, and no other")
