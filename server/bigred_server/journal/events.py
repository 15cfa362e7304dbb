"""Record the events of deployments: sentences that `bigred show` prints and followers read."""

from sqlalchemy import insert, select

from bigred_server.journal import rows
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.tables import event as table
from bigred_server.model.event_record import EventRecord

_READER = rows.reader(EventRecord)


async def add(
    db: AsyncConnection, deployment: str, at: float, kind: str, text: str, node: str | None = None
) -> None:
    """Record an event."""
    values = {"deployment": deployment, "at": at, "kind": kind, "node": node, "text": text}
    await db.execute(insert(table).values(**values))


async def of_deployment(db: AsyncConnection, deployment: str, after: int = 0) -> list[EventRecord]:
    """List the events of a deployment whose ID is greater than `after`."""
    query = select(table).where(table.c.deployment == deployment, table.c.id > after)
    return await rows.read(db, query.order_by(table.c.id), _READER)
