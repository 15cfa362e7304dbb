"""Record acts in the journal: the intent before the act, the outcome after it."""

from sqlalchemy import func, insert, select, update

from bigred_server.journal import rows
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.tables import action as table
from bigred_server.journal.tables import deployment
from bigred_server.model.action_record import ActionRecord, Outcome

_MAX_EVIDENCE = 4000
_READER = rows.reader(ActionRecord)


async def begin(
    db: AsyncConnection,
    deployment: str,
    node: str,
    kind: str,
    digest: str,
    now: float,
    *,
    sessions: int | None = None,
    token: int = 0,
) -> int:
    """Record the intent; return the act's ID. A hook is an act on the node ""."""
    values = {"deployment": deployment, "node": node, "kind": kind, "digest": digest}
    result = await db.execute(
        insert(table).values(**values, sessions=sessions, token=token, begun_at=now, evidence="")
    )
    key = result.inserted_primary_key
    if key is None:
        raise RuntimeError("the database returned no ID for the act")
    return int(key[0])


async def end(
    db: AsyncConnection, action: int, outcome: Outcome, evidence: str, now: float
) -> None:
    """Record the outcome."""
    values = {"outcome": outcome, "evidence": evidence[-_MAX_EVIDENCE:], "ended_at": now}
    await db.execute(update(table).where(table.c.id == action).values(**values))


async def end_left_open(db: AsyncConnection, deployment: str, now: float) -> int:
    """Mark the acts that a server began but never ended as UNKNOWN; return how many."""
    left_open = (table.c.deployment == deployment) & table.c.outcome.is_(None)
    values = {"outcome": Outcome.UNKNOWN, "ended_at": now}
    result = await db.execute(update(table).where(left_open).values(**values))
    return result.rowcount


async def of_deployment(db: AsyncConnection, deployment: str) -> list[ActionRecord]:
    """List a deployment's acts in the order in which they began."""
    query = select(table).where(table.c.deployment == deployment).order_by(table.c.id)
    return await rows.read(db, query, _READER)


async def count(db: AsyncConnection, app: str, node: str, kind: str, since: float) -> int:
    """Count the acts of a kind done on a node of an app since a time (Unix time)."""
    of_app = table.join(deployment, table.c.deployment == deployment.c.id)
    query = (
        select(func.count())
        .select_from(of_app)
        .where(
            deployment.c.app == app,
            table.c.node == node,
            table.c.kind == kind,
            table.c.outcome == Outcome.DONE,
            table.c.begun_at >= since,
        )
    )
    return int((await db.execute(query)).scalar_one())
