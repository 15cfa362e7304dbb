"""The hearing: what the jury of a deployment says goes to the journal and to the people."""

import time
from dataclasses import dataclass, replace

from bigred_broker.messages import AppEventType, Phase
from bigred_server.journal import deployments
from bigred_server.journal.database import Database
from bigred_server.journal.leadership import Leadership
from bigred_server.judge.judgement import Judgement
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.core import verdict_text
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.loop.evaluator import Evaluator
from bigred_server.rollout.loop.event_log import EventLog


@dataclass
class Evaluation:
    """Every judgement is kept with its evidence: another server's jury goes on from there."""

    evaluator: Evaluator
    db: Database
    lead: Leadership
    events: EventLog

    @property
    def judgement(self) -> Judgement | None:
        """What was said last."""
        return self.evaluator.judgement

    async def evaluate(
        self,
        record: DeploymentRecord,
        deployment: Deployment,
        look: FleetLook,
        *,
        last: bool = False,
    ) -> DeploymentRecord:
        """Hear the witness about a look, for the `last` time or not; give the record as it is then.

        Nothing is heard before the first node is touched.
        """
        if record.phase is Phase.PREPARING:
            return record
        before = self.evaluator.judgement
        said = self.evaluator.evaluate(deployment, look, time.time(), last=last)
        if said is None:
            return record
        if not self.evaluator.is_whole and before is not None and said.verdict is before.verdict:
            # What grows within a look is told when the look has ended.
            return record
        record = replace(record, judgement=verdict_text.to_json(said), evidence=self.evaluator.kept)
        text = verdict_text.told(said, self.evaluator.policy.mode)
        async with self.db.write() as db:
            await self.lead.fence(db)
            await deployments.change(
                db, record.id, judgement=record.judgement, evidence=record.evidence
            )
            told = await self.events.note(
                db, record, AppEventType.VERDICT, text, judgement=verdict_text.note(said)
            )
        self.events.publish(told)
        return record
