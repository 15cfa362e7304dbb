"""The jury of one deployment: it hears the witness, look by look, and says what it makes of it."""

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
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.node_phase import is_proven
from bigred_server.rollout.core.ports import FleetLook, Telemetry
from bigred_server.rollout.core.view import is_serving


@dataclass
class Evaluator:
    """Holds the evidence of one deployment. The next server's jury goes on with what it keeps."""

    policy: JudgePolicy
    telemetry: Telemetry
    usual: Json
    evidence: Evidence = EMPTY
    judgement: Judgement | None = None
    is_whole: bool = True

    @classmethod
    def restored(
        cls, policy: JudgePolicy, telemetry: Telemetry, kept: Json | None, judged: Json | None
    ) -> "Evaluator":
        """Begin, or go on with what an earlier jury kept."""
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
        """What the next server needs to go on."""
        return {"usual": self.usual, "evidence": record.to_json(self.evidence)}

    def evaluate(
        self, deployment: Deployment, seen: FleetLook, now: float, *, last: bool = False
    ) -> Judgement | None:
        """Hear the witness; give a judgement when there is a new one. On the way back it counts on.

        `now` in Unix time.
        """
        observed = self.telemetry.see(seen, deployment, now, last=last)
        if observed is None:
            return None
        evidence = weigh(self.evidence, observed.look, self.policy, observed.usual)
        if observed.is_whole:
            evidence = weigh_spans(evidence, observed.spans, observed.reference, self.policy)
            self.evidence = evidence = weigh_bins(evidence, observed.bins, self.policy)
        said = judge(evidence, self.policy, has_baseline=_has_baseline(deployment, seen))
        before = self.judgement
        if deployment.record.phase is Phase.ROLLING_BACK and before is not None:
            said = replace(said, verdict=before.verdict, cause=before.cause, reason=before.reason)
        self.judgement, self.is_whole = said, observed.is_whole
        unsure = said.verdict is Verdict.INCONCLUSIVE
        wanted = unsure and self.policy.inconclusive is Inconclusive.PROBE
        self.telemetry.probe(wanted=wanted and deployment.record.phase is not Phase.ROLLING_BACK)
        return said


def _has_baseline(deployment: Deployment, seen: FleetLook) -> bool:
    previous = deployment.previous
    if previous is None:
        return False
    return any(is_serving(look) and is_proven(look, previous) for look in seen.nodes.values())
