"""The evaluator of a deployment: its evidence is kept, resumed elsewhere and never withdrawn."""

import json
from collections import deque
from dataclasses import replace

from tests.support.telemetry import FakeTelemetry
from tests.support.views import NEW, OLD, ON_NEW, ON_OLD, deployment, updated

from bigred_broker.messages import Phase
from bigred_server.judge.judgement import Judgement
from bigred_server.judge.look import Arm, Look, Pair
from bigred_server.judge.policy import Inconclusive, JudgePolicy, Mode
from bigred_server.model.verdict import Verdict
from bigred_server.rollout.core import verdict_text
from bigred_server.rollout.core.ports import FleetLook, Observations
from bigred_server.rollout.loop.evaluator import Evaluator

POLICY = JudgePolicy(mode=Mode.ROLLBACK)
GOING = deployment(Phase.CANARY)
LOOKS = {"a": replace(ON_NEW, name="a"), "b": replace(ON_OLD, name="b")}
FLEET = FleetLook(LOOKS, 1, {})
ONE_OLD = FleetLook({"a": LOOKS["a"]}, 1, {})
BAD = Look(0.0, 5.0, Pair(Arm(20, 20, 3), Arm(60, 60, 0)), answered=20, failed=3, answered_old=60)
FEW = Look(0.0, 5.0, Pair(Arm(2, 2, 0), Arm(6, 6, 0)), answered=2, answered_old=6)


def restored(*looks: Look, policy: JudgePolicy = POLICY) -> tuple[Evaluator, FakeTelemetry]:
    telemetry = FakeTelemetry(deque(looks))
    return Evaluator.restored(policy, telemetry, None, None), telemetry


def evaluate(
    evaluator: Evaluator, phase: Phase = Phase.CANARY, seen: FleetLook = FLEET
) -> Judgement | None:
    return evaluator.evaluate(updated(GOING, phase=phase), seen, 0.0)


def test_evidence_grows_look_by_look_until_it_is_enough() -> None:
    evaluator, _ = restored(BAD, BAD, BAD)
    words = [said.verdict for _ in range(3) if (said := evaluate(evaluator)) is not None]
    assert words[0] is not Verdict.ROLLBACK
    assert words[-1] is Verdict.ROLLBACK
    assert evaluate(evaluator) is None


def test_the_next_server_continues_with_the_evidence() -> None:
    evaluator, _ = restored(BAD, BAD)
    evaluate(evaluator)
    kept = json.loads(json.dumps(evaluator.kept))
    judged = json.loads(
        json.dumps(verdict_text.to_json(evaluator.judgement or Judgement(Verdict.PASS)))
    )
    telemetry = FakeTelemetry(deque([BAD]))
    other = Evaluator.restored(POLICY, telemetry, kept, judged)
    assert telemetry.begun == [{"errors": 0.0}]
    assert other.judgement is not None
    assert evaluate(other) == evaluate(evaluator)


def test_during_a_rollback_it_keeps_counting_and_keeps_its_verdict() -> None:
    evaluator, _ = restored(BAD, BAD, BAD, FEW, FEW)
    for _ in range(3):
        before = evaluate(evaluator)
    assert before is not None
    after = evaluate(evaluator, Phase.ROLLING_BACK)
    assert after is not None
    assert (after.verdict, after.reason) == (Verdict.ROLLBACK, before.reason)
    assert after.requests == before.requests + 2


def test_an_unfinished_look_is_judged_and_not_added() -> None:
    evaluator, telemetry = restored()
    found = deque(
        [Observations(BAD, is_whole=False), Observations(BAD, is_whole=False), Observations(BAD)]
    )
    telemetry.see = lambda *_, **__: found.popleft()  # type: ignore[method-assign]
    seen = [evaluate(evaluator) for _ in range(3)]
    assert [said.requests for said in seen if said] == [20, 20, 20]


def test_probes_are_sent_while_evidence_is_short_if_the_policy_says_so() -> None:
    policy = replace(POLICY, inconclusive=Inconclusive.PROBE, min_requests=4)
    evaluator, telemetry = restored(FEW, FEW, FEW, policy=policy)
    evaluate(evaluator)
    assert telemetry.probing
    evaluate(evaluator)
    assert not telemetry.probing
    plain, silent = restored(FEW)
    evaluate(plain)
    assert not silent.probing


def test_without_a_node_on_the_old_release_everything_bad_is_the_builds_fault() -> None:
    worse = replace(BAD, errors=Pair(Arm(20, 20, 9), Arm()), answered_old=0)
    evaluator, _ = restored(worse, worse)
    evaluate(evaluator, seen=ONE_OLD)
    said = evaluate(evaluator, seen=ONE_OLD)
    assert said is not None
    assert said.verdict is Verdict.ROLLBACK
    assert NEW.digest != OLD.digest
