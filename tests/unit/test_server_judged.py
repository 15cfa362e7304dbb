"""The effect of a verdict on a rollout, in every mode and phase."""

from dataclasses import replace

import pytest
from tests.support.looks import changed
from tests.support.views import (
    CLOSED,
    ON_NEW,
    ON_OLD,
    POLICY,
    Given,
    deployment,
    kinds,
    updated,
    view,
)

from bigred_broker.messages import Phase
from bigred_server.judge.judgement import Cause, Judgement
from bigred_server.judge.policy import Inconclusive, JudgePolicy, Mode
from bigred_server.model.command import Command
from bigred_server.model.hold_reason import HeldFor
from bigred_server.model.verdict import Verdict
from bigred_server.rollout.core.action import ActionKind
from bigred_server.rollout.core.decide import decide
from bigred_server.rollout.core.decision import Decision
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.policy import Policy

FIRST: Given = {"a": ON_NEW, "b": ON_OLD, "c": ON_OLD}
ALL_NEW: Given = {"a": ON_NEW, "b": ON_NEW, "c": ON_NEW}
FORWARD = [Phase.CANARY, Phase.ROLLING, Phase.BAKING, Phase.HOLDING]
CLAUSE = "failed 11 of 60 requests on a"


def said(verdict: Verdict, cause: Cause = Cause.BUILD) -> Judgement:
    return Judgement(verdict, cause, CLAUSE, requests=60)


def policy(mode: Mode = Mode.ROLLBACK, **fields: object) -> Policy:
    return replace(POLICY, judge=JudgePolicy(mode=mode, **fields))  # type: ignore[arg-type]


def after(
    verdict: Verdict | None,
    these: Deployment,
    policy: Policy,
    looks: Given = FIRST,
    cause: Cause = Cause.BUILD,
    **seen: float,
) -> Decision:
    found = view(replace(these, release="2"), policy=policy, **{**looks, **seen})
    judgement = said(verdict, cause) if verdict else None
    return decide(replace(found, judgement=judgement))


# --- against the release -------------------------------------------------------------------------


@pytest.mark.parametrize("phase", FORWARD)
def test_a_verdict_rolls_the_release_back_and_blames_it(phase: Phase) -> None:
    found = after(Verdict.ROLLBACK, deployment(phase), policy())
    assert (found.phase, found.blames_build) == (Phase.ROLLING_BACK, True)
    assert found.reason == f"shop 2 {CLAUSE}"


@pytest.mark.parametrize("verdict", [Verdict.HOLD, Verdict.ROLLBACK])
@pytest.mark.parametrize("phase", FORWARD[:3])
def test_a_judge_that_may_only_hold_holds(phase: Phase, verdict: Verdict) -> None:
    found = after(verdict, deployment(phase), policy(Mode.HOLD))
    assert (found.phase, found.held_for) == (Phase.HOLDING, HeldFor.SUSPICION)
    assert found.reason == f"shop 2 {CLAUSE}"


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.WATCH])
@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_judge_that_only_watches_changes_nothing(mode: Mode, verdict: Verdict) -> None:
    for phase in FORWARD:
        silent = after(None, deployment(phase), policy(mode))
        assert after(verdict, deployment(phase), policy(mode)) == silent


def test_a_rollback_is_not_judged() -> None:
    back = deployment(Phase.ROLLING_BACK)
    for verdict in Verdict:
        assert after(verdict, back, policy()) == after(None, back, policy())


def test_a_node_that_is_repaired_is_not_judged() -> None:
    repair = deployment(nodes=("a",), mends="a")
    assert after(Verdict.ROLLBACK, repair, policy()).phase is not Phase.ROLLING_BACK


# --- a hold and its end --------------------------------------------------------------------------

HELD = deployment(Phase.HOLDING, held_for=HeldFor.SUSPICION)


def test_while_held_no_node_is_removed_and_the_one_being_updated_is_finished() -> None:
    looks: Given = {"a": ON_NEW, "b": changed(CLOSED, in_flight=0), "c": ON_OLD}
    found = after(Verdict.HOLD, HELD, policy(), looks)
    assert (found.phase, kinds(found)) == (Phase.HOLDING, {"b": ActionKind.STOP})


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.INCONCLUSIVE])
def test_a_suspicion_that_fades_lets_the_rollout_continue(verdict: Verdict) -> None:
    found = after(verdict, HELD, policy())
    assert (found.phase, bool(found.finding)) == (Phase.ROLLING, True)


def test_a_suspicion_that_stays_rolls_the_build_back() -> None:
    strict = policy(hold_s=60.0)
    assert after(Verdict.HOLD, HELD, strict, waited_s=60.0).phase is Phase.HOLDING
    found = after(Verdict.HOLD, HELD, strict, waited_s=60.1)
    assert (found.phase, found.blames_build) == (Phase.ROLLING_BACK, True)


@pytest.mark.parametrize("cause", [Cause.ENVIRONMENT, Cause.BUSINESS])
def test_a_possible_outage_is_held_until_a_person_decides(cause: Cause) -> None:
    strict = policy(hold_s=60.0)
    found = after(Verdict.HOLD, HELD, strict, cause=cause, waited_s=61.0)
    assert found.phase is Phase.HOLDING
    assert after(Verdict.HOLD, HELD, strict, cause=cause, waited_s=3601.0).phase is (
        Phase.ROLLING_BACK
    )


def test_the_judge_ends_no_hold_that_a_person_asked_for() -> None:
    asked = deployment(Phase.HOLDING, held_for=HeldFor.ASKED)
    assert after(Verdict.PASS, asked, policy()).phase is Phase.HOLDING


def test_a_continue_accepts_the_verdict_but_not_a_worse_one() -> None:
    found = after(Verdict.HOLD, updated(HELD, command=Command.CONTINUE), policy())
    assert (found.phase, found.tolerates) == (Phase.ROLLING, Verdict.HOLD)
    going = deployment(tolerates=Verdict.HOLD)
    assert after(Verdict.HOLD, going, policy()).phase is Phase.ROLLING
    assert kinds(after(Verdict.HOLD, going, policy())) == {"b": ActionKind.MAINT}
    assert after(Verdict.ROLLBACK, going, policy()).phase is Phase.ROLLING_BACK


def test_a_hold_by_a_person_accepts_no_verdict() -> None:
    asked = deployment(Phase.HOLDING, held_for=HeldFor.ASKED, command=Command.CONTINUE)
    assert after(Verdict.INCONCLUSIVE, asked, policy()).tolerates is None


@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.ROLLING])
def test_without_a_verdict_no_further_node_follows(phase: Phase) -> None:
    found = after(None, deployment(phase), policy())
    assert (found.phase, found.actions) == (phase, ())
    assert after(None, deployment(phase), policy(Mode.WATCH)).phase is Phase.ROLLING


# --- too little evidence -------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.ROLLING])
def test_no_further_node_follows_before_there_is_enough_evidence(phase: Phase) -> None:
    found = after(Verdict.INCONCLUSIVE, deployment(phase), policy(extend_s=120.0))
    assert (found.phase, found.actions) == (phase, ())
    follows = after(Verdict.PASS, deployment(phase), policy())
    assert follows.phase is Phase.ROLLING
    assert follows.actions or phase is Phase.CANARY


def test_the_first_nodes_need_no_verdict_where_there_is_no_canary() -> None:
    looks: Given = dict.fromkeys("abc", ON_OLD)
    bold = replace(policy(), canary=0)
    assert kinds(after(Verdict.INCONCLUSIVE, deployment(), bold, looks)) == {"a": ActionKind.MAINT}


@pytest.mark.parametrize("what", [Inconclusive.EXTEND, Inconclusive.PROBE])
@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.ROLLING])
def test_it_extends_the_bake_and_then_asks(phase: Phase, what: Inconclusive) -> None:
    longer = policy(inconclusive=what, extend_s=120.0)
    longer = replace(longer, canary_bake_s=30.0, batch_bake_s=30.0)
    these = deployment(phase)
    assert after(Verdict.INCONCLUSIVE, these, longer, waited_s=149.9).phase is phase
    found = after(Verdict.INCONCLUSIVE, these, longer, waited_s=150.0)
    assert (found.phase, found.held_for) == (Phase.HOLDING, HeldFor.DOUBT)
    assert "60 requests, 50 needed" in found.reason


def test_it_asks_at_once_or_continues_as_the_policy_says() -> None:
    canary = deployment(Phase.CANARY)
    asks = after(Verdict.INCONCLUSIVE, canary, policy(inconclusive=Inconclusive.ASK))
    assert (asks.phase, asks.held_for) == (Phase.HOLDING, HeldFor.DOUBT)
    goes = after(Verdict.INCONCLUSIVE, canary, policy(inconclusive=Inconclusive.PASS))
    assert goes.phase is Phase.ROLLING


def test_a_doubt_ends_with_enough_evidence_or_a_persons_continue() -> None:
    held = deployment(Phase.HOLDING, held_for=HeldFor.DOUBT)
    assert after(Verdict.INCONCLUSIVE, held, policy()).phase is Phase.HOLDING
    assert after(Verdict.PASS, held, policy()).phase is Phase.ROLLING
    found = after(Verdict.INCONCLUSIVE, updated(held, command=Command.CONTINUE), policy())
    assert (found.phase, found.tolerates) == (Phase.ROLLING, Verdict.INCONCLUSIVE)
    goes = after(Verdict.INCONCLUSIVE, deployment(tolerates=Verdict.INCONCLUSIVE), policy())
    assert kinds(goes) == {"b": ActionKind.MAINT}


def test_the_last_bake_lasts_until_the_judge_has_enough_evidence() -> None:
    short = replace(policy(extend_s=120.0), last_bake_s=10.0)
    baking = deployment(Phase.BAKING)
    assert after(Verdict.INCONCLUSIVE, deployment(), short, ALL_NEW).phase is Phase.BAKING
    for verdict, waited_s, phase in (
        (Verdict.PASS, 9.9, Phase.BAKING),
        (Verdict.PASS, 10.0, Phase.SUCCEEDED),
        (Verdict.INCONCLUSIVE, 129.9, Phase.BAKING),
        (Verdict.INCONCLUSIVE, 130.0, Phase.HOLDING),
    ):
        assert after(verdict, baking, short, ALL_NEW, waited_s=waited_s).phase is phase


def test_without_a_last_bake_a_clear_verdict_ends_it() -> None:
    assert after(Verdict.PASS, deployment(), policy(), ALL_NEW).phase is Phase.SUCCEEDED
