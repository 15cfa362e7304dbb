"""The steps of the other two strategies, decided from looks; and maintenance between rollouts."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import pytest
from tests.support.looks import changed, node_look
from tests.support.views import SAYS, deployment, kinds

from bigred_broker.messages import Phase
from bigred_server.rollout.core import context_version
from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.decide import decide
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Admin, Answer, NodeLook, Version
from bigred_server.rollout.core.policy import Policy, Sessions
from bigred_server.rollout.core.progress import track
from bigred_server.rollout.core.target import Strategy, Target
from bigred_server.rollout.core.upkeep import PendingWork, to_clean_up, to_repair
from bigred_server.rollout.core.view import Orphan, View, wanted

OLD_DIGEST, NEW_DIGEST = "a" * 64, "b" * 64
FIRST = Version(context_version.name(1, OLD_DIGEST), OLD_DIGEST)
SECOND = Version(context_version.name(2, NEW_DIGEST), NEW_DIGEST)
MOVE = Policy(min_healthy=1)
IN_PARALLEL = Policy(min_healthy=1, sessions=Sessions.PARALLEL)


def seen(
    strategy: Strategy,
    look: NodeLook,
    phase: Phase = Phase.ROLLING,
    policy: Policy | None = None,
    waited_s: float = 0.0,
    wait: Mapping[str, object] | None = None,
) -> View:
    """Return a view of node a in this state, and two others that are done."""
    new, old = Target(NEW_DIGEST, "2", strategy), Target(OLD_DIGEST, "1", strategy)
    going = deployment(phase, ("a", "b", "c"), old, target=new)
    target = wanted(going)
    answer = SAYS["new"] if target == new else SAYS["old"]
    done = node_look("", Admin.READY, True, True, 0, target.digest, True, answer)
    looks = {
        "a": replace(look, name="a"),
        "b": replace(done, name="b"),
        "c": replace(done, name="c"),
    }
    progress = track({}, looks, target, 100.0)
    if wait:
        progress["a"] = replace(progress["a"], **wait)  # type: ignore[arg-type]
    chosen = policy or (IN_PARALLEL if strategy is Strategy.PARALLEL else MOVE)
    return View(going, looks, progress, {}, chosen, 100.0 + waited_s)


def due(view: View) -> ActionKind | None:
    """Return what is due at node a."""
    return kinds(decide(view)).get("a")


# --- redeploy ------------------------------------------------------------------------------------

OLD = node_look("", Admin.READY, True, True, 2, OLD_DIGEST, True, SAYS["old"])
CLOSED = changed(OLD, admin=Admin.MAINT, up=False, in_flight=0)


@pytest.mark.parametrize(
    ("look", "kind"),
    [
        (OLD, ActionKind.MAINT),
        (changed(CLOSED, in_flight=1), None),
        (CLOSED, ActionKind.DEPLOY),
        (changed(CLOSED, digest=UNKNOWN_DIGEST), ActionKind.DEPLOY),
        (changed(CLOSED, kept=frozenset()), ActionKind.FETCH),
        (changed(CLOSED, running=False, answer=Answer()), ActionKind.START),
        (changed(CLOSED, running=None, answer=Answer()), None),
        (changed(CLOSED, digest=NEW_DIGEST, answer=SAYS["500"]), None),
        (changed(CLOSED, digest=NEW_DIGEST, answer=SAYS["new"]), ActionKind.ADMIT),
        (
            changed(CLOSED, admin=Admin.DRAIN, digest=NEW_DIGEST, answer=SAYS["new"]),
            ActionKind.READY,
        ),
    ],
)
def test_the_manager_acts_only_on_a_drained_node(look: NodeLook, kind: ActionKind | None) -> None:
    assert due(seen(Strategy.REDEPLOY, look)) is kind


def test_an_app_is_never_redeployed_on_a_node_with_traffic() -> None:
    for admin, in_flight, up, answer in product(Admin, (0, 3), (True, False), SAYS.values()):
        look = node_look("", admin, up, True, in_flight, OLD_DIGEST, True, answer)
        if due(seen(Strategy.REDEPLOY, look)) is ActionKind.DEPLOY:
            assert (admin, in_flight) == (Admin.MAINT, 0)


def test_a_failed_deploy_is_retried_after_a_pause_and_then_blamed_on_the_build() -> None:
    once = {"tries": 1, "tried_at_s": 100.0, "failure": "FAIL - it did not start"}
    assert due(seen(Strategy.REDEPLOY, CLOSED, wait=once, waited_s=4.9)) is None
    assert due(seen(Strategy.REDEPLOY, CLOSED, wait=once, waited_s=5.0)) is ActionKind.DEPLOY
    twice = {**once, "tries": 2}
    canary = seen(Strategy.REDEPLOY, CLOSED, Phase.CANARY, replace(MOVE, min_healthy=3), wait=twice)
    found = decide(canary)
    assert (found.phase, found.blames_build) == (Phase.ROLLING_BACK, True)


def test_a_manager_whose_ok_has_no_effect_is_not_asked_for_ever() -> None:
    twice = {"tries": 2, "tried_at_s": 100.0}
    policy = replace(MOVE, min_healthy=3)
    view = seen(Strategy.REDEPLOY, CLOSED, Phase.CANARY, policy, waited_s=5.0, wait=twice)
    assert (
        decide(view).reason
        == "a: the Manager reported success 2 times, but the release is not deployed"
    )


@pytest.mark.parametrize("strategy", [Strategy.REDEPLOY, Strategy.PARALLEL])
def test_a_node_that_may_still_change_by_itself_stays_out(strategy: Strategy) -> None:
    """A server died while the Manager deployed the new release; the next one must roll back."""
    closed = changed(CLOSED, checks_disabled=strategy is Strategy.PARALLEL, admin=Admin.DRAIN)
    for where in (closed, changed(closed, checks_disabled=False)):
        going_back = seen(strategy, where, Phase.ROLLING_BACK, waited_s=10.0)
        assert due(going_back) in (ActionKind.ADMIT, ActionKind.READY)
        late = replace(going_back, orphans={"a": Orphan(NEW_DIGEST, 110.1)})
        assert due(late) is None
        assert decide(late).phase is Phase.ROLLING_BACK
        over = replace(late, orphans={"a": Orphan(NEW_DIGEST, 109.9)})
        assert due(over) in (ActionKind.ADMIT, ActionKind.READY)
        wanted_too = replace(late, orphans={"a": Orphan(OLD_DIGEST, 110.1)})
        assert due(wanted_too) in (ActionKind.ADMIT, ActionKind.READY)


# --- parallel ------------------------------------------------------------------------------------

ALONE = changed(OLD, versions=(replace(FIRST, sessions=7),))
DRAINED = changed(ALONE, admin=Admin.DRAIN, up=False)
BOTH = changed(
    DRAINED, versions=(replace(FIRST, sessions=7), SECOND), digest=NEW_DIGEST, answer=SAYS["new"]
)


@pytest.mark.parametrize(
    ("look", "kind"),
    [
        (ALONE, ActionKind.DRAIN),
        (changed(ALONE, kept=frozenset()), ActionKind.FETCH),
        (DRAINED, ActionKind.DEPLOY),
        (changed(DRAINED, admin=Admin.MAINT), ActionKind.DEPLOY),
        (changed(DRAINED, versions=()), ActionKind.DEPLOY),
        (
            changed(DRAINED, running=False, answer=Answer(), digest="", versions=None),
            ActionKind.START,
        ),
        (replace(BOTH, answer=SAYS["500"]), None),
        (changed(BOTH, checks_disabled=True), ActionKind.ADMIT),
        (BOTH, ActionKind.READY),
        (changed(BOTH, fresh=False), None),
        (changed(BOTH, admin=Admin.READY, up=True), None),
        (changed(BOTH, admin=Admin.READY, up=True, checks_disabled=True), ActionKind.READY),
    ],
)
def test_a_version_is_deployed_alongside_the_old_one_while_the_node_is_drained(
    look: NodeLook, kind: ActionKind | None
) -> None:
    assert due(seen(Strategy.PARALLEL, look)) is kind


@pytest.mark.parametrize(
    ("look", "kind"),
    [
        (changed(BOTH, admin=Admin.READY, up=True), ActionKind.UNDEPLOY),
        (changed(BOTH, checks_disabled=True), ActionKind.UNDEPLOY),
        (changed(DRAINED, checks_disabled=True), ActionKind.ADMIT),
        (DRAINED, ActionKind.READY),
        (ALONE, None),
        (changed(BOTH, versions=(SECOND,)), ActionKind.DEPLOY),
    ],
)
def test_a_rollback_undeploys_the_newest_version(look: NodeLook, kind: ActionKind | None) -> None:
    view = seen(Strategy.PARALLEL, look, Phase.ROLLING_BACK)
    assert due(view) is kind
    if kind is ActionKind.UNDEPLOY:
        assert decide(view).actions[0].version == SECOND.name


def test_a_rollout_never_drives_sessions_off_a_node() -> None:
    for admin, up, checks_disabled, answer, versions in product(
        (Admin.READY, Admin.DRAIN),
        (True, False),
        (True, False),
        SAYS.values(),
        ((FIRST,), (FIRST, SECOND), (SECOND,)),
    ):
        digest = versions[-1].digest
        look = node_look("", admin, up, True, 3, digest, True, answer, versions=versions)
        look = changed(look, checks_disabled=checks_disabled)
        assert due(seen(Strategy.PARALLEL, look)) not in (
            ActionKind.MAINT,
            ActionKind.STOP,
            ActionKind.UNDEPLOY,
        )


def test_a_new_version_sorts_after_all_existing_ones() -> None:
    there = (Version(""), Version("2"), Version("0099"), FIRST, SECOND)
    made = context_version.following(there, NEW_DIGEST)
    assert made > max(one.name for one in there)
    assert context_version.digest_of(made) == NEW_DIGEST
    assert context_version.digest_of("2") == UNKNOWN_DIGEST
    stopped = (FIRST, replace(SECOND, running=False))
    assert context_version.newest(stopped) == FIRST


# --- maintenance ---------------------------------------------------------------------------------

LIVE = Target(OLD_DIGEST, "1")
SERVES = replace(OLD, name="a")
ELSEWHERE = changed(OLD, digest=NEW_DIGEST, answer=SAYS["new"])


@pytest.mark.parametrize(
    ("look", "left", "is_repaired"),
    [
        (ELSEWHERE, PendingWork(skipped=("a",)), True),
        (changed(ELSEWHERE, up=False), PendingWork(skipped=("a",)), False),
        (changed(ELSEWHERE, digest=None), PendingWork(skipped=("a",)), False),
        (SERVES, PendingWork(skipped=("a",)), False),
        (ELSEWHERE, PendingWork(), False),
        (CLOSED, PendingWork(set_aside=("a",)), True),
        (CLOSED, PendingWork(set_aside=("a",), failed_at={"a": 401.0}), False),
        (CLOSED, PendingWork(set_aside=("a",), failed_at={"a": 400.0}), True),
    ],
)
def test_a_node_that_was_left_out_is_repaired_when_it_returns(
    look: NodeLook, left: PendingWork, *, is_repaired: bool
) -> None:
    found = to_repair({"a": replace(look, name="a")}, LIVE, left, MOVE, now=1000.0)
    assert found == ("a" if is_repaired else None)


def test_an_old_version_is_removed_when_its_sessions_are_gone_or_its_time_is_up() -> None:
    live = Target(NEW_DIGEST, "2", Strategy.PARALLEL)
    serving = changed(BOTH, name="a", admin=Admin.READY, up=True)
    left = PendingWork(ended_at=1000.0)
    assert to_clean_up({"a": serving}, live, left, IN_PARALLEL, now=8199.0) == []
    goes = [Action(ActionKind.UNDEPLOY, "a", live, FIRST.name)]
    assert to_clean_up({"a": serving}, live, left, IN_PARALLEL, now=8200.0) == goes
    empty = changed(serving, versions=(FIRST, SECOND))
    assert to_clean_up({"a": empty}, live, left, IN_PARALLEL, now=1001.0) == goes
    ours = replace(live, strategy=Strategy.RESTART)
    assert to_clean_up({"a": empty}, ours, left, IN_PARALLEL, now=9000.0) == []
