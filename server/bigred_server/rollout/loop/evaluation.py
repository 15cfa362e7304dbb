"""The evaluation of a deployment: write each judgement to the journal and publish it."""

import time
from dataclasses import dataclass, field, replace

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
    """Stores every judgement with its evidence, so that another server can continue from there."""

    evaluator: Evaluator
    db: Database
    lead: Leadership
    events: EventLog
    _reported: Judgement | None = field(init=False)

    def __post_init__(self) -> None:
        self._reported = self.evaluator.judgement

    @property
    def judgement(self) -> Judgement | None:
        """The latest judgement."""
        return self.evaluator.judgement

    async def evaluate(
        self,
        record: DeploymentRecord,
        deployment: Deployment,
        look: FleetLook,
        *,
        last: bool = False,
    ) -> DeploymentRecord:
        """Evaluate a look, possibly the `last` one; return the deployment's new record.

        Nothing is evaluated before the first node is touched.
        """
        if record.phase is Phase.PREPARING:
            return record
        before = self.evaluator.judgement
        judged = self.evaluator.evaluate(deployment, look, time.time(), last=last)
        if judged is None:
            return record
        if not self.evaluator.is_whole and before is not None and judged.verdict is before.verdict:
            # What accumulates within a look is reported when the look is complete.
            return record
        record = replace(
            record, judgement=verdict_text.to_json(judged), evidence=self.evaluator.kept
        )
        text = verdict_text.full_text(judged, self.evaluator.policy.mode)
        news = []
        async with self.db.write() as db:
            await self.lead.fence(db)
            await deployments.change(
                db, record.id, judgement=record.judgement, evidence=record.evidence
            )
            if _is_news(judged, self._reported):
                note = verdict_text.note(judged)
                kind = AppEventType.VERDICT
                news.append(await self.events.note(db, record, kind, text, judgement=note))
        if news:
            self._reported = judged
        self.events.written(*news)
        return record


def _is_news(judged: Judgement, reported: Judgement | None) -> bool:
    """Return whether a judgement says anything new about the new release.

    While nobody asks it for anything, only the counts of the old one grow.
    """
    return reported is None or _told(judged) != _told(reported)


def _told(judged: Judgement) -> tuple[object, ...]:
    return judged.verdict, judged.cause, judged.reason, judged.requests, judged.failed
