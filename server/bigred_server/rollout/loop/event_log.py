"""Tells what happens in a deployment: to the journal, the log, and every subscriber."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_broker.messages import MOST_TEXT, AppEvent, AppEventType, JudgementNote
from bigred_server.journal import events
from bigred_server.journal.database import Database
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.timestamp import utc

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class EventLog:
    """`publish` sends an event to the subscribers; it must not block."""

    db: Database
    publish: Callable[[AppEvent], None]

    async def say(
        self, record: DeploymentRecord, kind: AppEventType, text: str, node: str | None = None
    ) -> None:
        """Tell one thing."""
        async with self.db.write() as db:
            told = await self.note(db, record, kind, text, node)
        self.publish(told)

    async def note(
        self,
        db: AsyncConnection,
        record: DeploymentRecord,
        kind: AppEventType,
        text: str,
        node: str | None = None,
        judgement: JudgementNote | None = None,
    ) -> AppEvent:
        """Write one thing in the caller's transaction; give it, to be published after that."""
        now = time.time()
        await events.add(db, record.id, now, kind, text, node)
        log.info(text, app=record.app, deployment=record.id, **({"node": node} if node else {}))
        return AppEvent(
            event_type=kind,
            app=record.app,
            at=utc(now),
            deployment=record.id,
            phase=record.phase,
            node=node,
            text=text[:MOST_TEXT],
            judgement=judgement,
        )
