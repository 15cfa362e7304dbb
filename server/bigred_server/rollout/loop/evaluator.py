"""The evaluator of one deployment: collect evidence from each look, and judge it."""

from dataclasses import dataclass, replace

from bigred_broker.messages import Phase
from bigred_server.judge import record
from bigred_server.judge.evidence import EMPTY, Evidence, weigh, weigh_bins, weigh_spans
from bigred_server.judge.judge import judge
from bigred_server.judge.judgement import Judgement
from bigred_server.judge.policy import Inconclusive, JudgePolicy
from bigred_server.model.json_object import Json
from bigred_server.model.verdict import Verdict
from bigred_server.rollout.core import verdict_text
from bigred_server.rollout.core.availability import is_serving
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.node_phase import is_proven
from bigred_server.rollout.core.ports import FleetLook, Telemetry


@dataclass
class Evaluator:
    """Holds the evidence of one deployment. The next server's evaluator continues with `kept`."""

    policy: JudgePolicy
    telemetry: Telemetry
    baseline: Json
    evidence: Evidence = EMPTY
    judgement: Judgement | None = None
    is_whole: bool = True

    @classmethod
    def restored(
        cls, policy: JudgePolicy, telemetry: Telemetry, kept: Json | None, judged: Json | None
    ) -> "Evaluator":
        """Begin, or continue with what an earlier evaluator kept."""
        known = kept or {}
        return cls(
            policy,
            telemetry,
            telemetry.begin(known.get("usual")),
            record.from_json(known.get("evidence", {})),
            verdict_text.from_json(judged) if judged else None,
        )

    @property
    def kept(self) -> Json:
        """What the next server needs to continue."""
        return {"usual": self.baseline, "evidence": record.to_json(self.evidence)}

    def evaluate(
        self, deployment: Deployment, look: FleetLook, now: float, *, last: bool = False
    ) -> Judgement | None:
        """Observe and judge; return the judgement if there is a new one. `now` is Unix time.

        During a rollback the numbers still grow, but the verdict stays.
        """
        observed = self.telemetry.see(look, deployment, now, last=last)
        if observed is None:
            return None
        evidence = weigh(self.evidence, observed.look, self.policy, observed.usual)
        if observed.is_whole:
            evidence = weigh_spans(evidence, observed.spans, observed.reference, self.policy)
            self.evidence = evidence = weigh_bins(evidence, observed.bins, self.policy)
        judged = judge(evidence, self.policy, has_baseline=_has_baseline(deployment, look))
        before = self.judgement
        if deployment.record.phase is Phase.ROLLING_BACK and before is not None:
            judged = replace(
                judged, verdict=before.verdict, cause=before.cause, reason=before.reason
            )
        self.judgement, self.is_whole = judged, observed.is_whole
        unsure = judged.verdict is Verdict.INCONCLUSIVE
        wanted = unsure and self.policy.inconclusive is Inconclusive.PROBE
        self.telemetry.probe(wanted=wanted and deployment.record.phase is not Phase.ROLLING_BACK)
        return judged


def _has_baseline(deployment: Deployment, look: FleetLook) -> bool:
    previous = deployment.previous
    if previous is None:
        return False
    return any(is_serving(node) and is_proven(node, previous) for node in look.nodes.values())
