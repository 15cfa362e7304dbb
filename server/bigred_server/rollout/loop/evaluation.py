"""The hearing: what the jury of a deployment says goes to the journal and to the people."""

import time
from dataclasses import dataclass, replace

from bigred_broker.messages import AppEventType, Phase
from bigred_server.journal import deployments
from bigred_server.journal.database import Database
from bigred_server.journal.deployments import Record
from bigred_server.journal.leadership import Leadership
from bigred_server.judge.judgement import Judgement
from bigred_server.rollout.core import verdict_text
from bigred_server.rollout.core.deployment import Deployment
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.loop.evaluator import Jury
from bigred_server.rollout.loop.event_log import Narrator


@dataclass
class Hearing:
    """Every judgement is kept with its evidence: another server's jury goes on from there."""

    jury: Jury
    db: Database
    lead: Leadership
    narrator: Narrator

    @property
    def judgement(self) -> Judgement | None:
        """What was said last."""
        return self.jury.judgement

    async def hear(
        self, record: Record, deployment: Deployment, look: FleetLook, *, last: bool = False
    ) -> Record:
        """Hear the witness about a look, for the `last` time or not; give the record as it is then.

        Nothing is heard before the first node is touched.
        """
        if record.phase is Phase.PREPARING:
            return record
        before = self.jury.judgement
        said = self.jury.hear(deployment, look, time.time(), last=last)
        if said is None:
            return record
        if not self.jury.is_whole and before is not None and said.verdict is before.verdict:
            # What grows within a look is told when the look has ended.
            return record
        record = replace(record, judgement=verdict_text.to_json(said), evidence=self.jury.kept)
        text = verdict_text.told(said, self.jury.policy.mode)
        async with self.db.write() as db:
            await self.lead.fence(db)
            await deployments.change(
                db, record.id, judgement=record.judgement, evidence=record.evidence
            )
            told = await self.narrator.note(
                db, record, AppEventType.VERDICT, text, judgement=verdict_text.note(said)
            )
        self.narrator.publish(told)
        return record
