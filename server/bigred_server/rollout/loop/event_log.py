"""The event log: write what happens in a deployment to journal and log, and publish it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bigred_broker.messages import MOST_TEXT, AppEvent, AppEventType, JudgementNote
from bigred_server.journal import events
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.database import Database
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.timestamp import utc

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class EventLog:
    """`publish` sends an event to the subscribers; it must not block."""

    db: Database
    publish: Callable[[AppEvent], None]

    async def report(
        self, record: DeploymentRecord, kind: AppEventType, text: str, node: str | None = None
    ) -> None:
        """Write one event in a transaction of its own, and publish it."""
        async with self.db.write() as db:
            event = await self.note(db, record, kind, text, node)
        self.written(event)

    def written(self, *events: AppEvent) -> None:
        """Log and publish events; their transaction was committed."""
        for one in events:
            node = {"node": one.node} if one.node else {}
            log.info(one.text, app=one.app, deployment=one.deployment, **node)
            self.publish(one)

    async def note(
        self,
        db: AsyncConnection,
        record: DeploymentRecord,
        kind: AppEventType,
        text: str,
        node: str | None = None,
        judgement: JudgementNote | None = None,
    ) -> AppEvent:
        """Write one event in the caller's transaction; return it, for `written` afterwards."""
        now = time.time()
        await events.add(db, record.id, now, kind, text, node)
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
