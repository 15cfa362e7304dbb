"""The armings in the journal, and the answers already given to boxes."""

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_server.journal.tables import answer as answers
from bigred_server.journal.tables import arming as table
from bigred_server.model.arming import Arming

_KEPT_S = 86_400.0


async def add(db: AsyncConnection, arming: Arming) -> None:
    """Write a new arming; whatever the box had before is over."""
    await drop(db, arming.box, arming.made_at)
    await db.execute(insert(table).values(**vars(arming)))


async def drop(db: AsyncConnection, box: str, now: float) -> None:
    """End whatever arming a box has: its lid was closed, or opened again."""
    unused = (table.c.box == box) & table.c.used_at.is_(None)
    await db.execute(update(table).where(unused).values(used_at=now))
    await db.execute(delete(table).where(table.c.made_at < now - _KEPT_S))


async def find(db: AsyncConnection, arming_id: str) -> Arming | None:
    """Find an arming."""
    rows = await db.execute(select(table).where(table.c.id == arming_id))
    return next((Arming(**row) for row in rows.mappings()), None)


async def use(db: AsyncConnection, arming_id: str, now: float) -> bool:
    """Use an arming up; False when it was used already."""
    unused = (table.c.id == arming_id) & table.c.used_at.is_(None)
    result = await db.execute(update(table).where(unused).values(used_at=now))
    return result.rowcount == 1


async def answered(db: AsyncConnection, box: str, event: str) -> str | None:
    """Give the reply (JSON) that an event of a box was answered with, if it was."""
    query = select(answers.c.reply).where(answers.c.box == box, answers.c.event == event)
    return (await db.execute(query)).scalar_one_or_none()


async def replies_since(db: AsyncConnection, since: float) -> list[tuple[str, float, str]]:
    """List the replies given after a moment of Unix time, the newest first: box, when, and JSON."""
    query = select(answers.c.box, answers.c.at, answers.c.reply).where(answers.c.at > since)
    rows = await db.execute(query.order_by(answers.c.at.desc()))
    return [(row.box, row.at, row.reply) for row in rows]


async def remember(db: AsyncConnection, box: str, event: str, reply: str, now: float) -> None:
    """Keep a reply, so that a repeated event is answered as the first was."""
    await db.execute(delete(answers).where(answers.c.at < now - _KEPT_S))
    await db.execute(insert(answers).values(box=box, event=event, reply=reply, at=now))
