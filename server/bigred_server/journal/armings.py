"""Record armings in the journal, and the replies already sent to boxes."""

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_server.journal import rows
from bigred_server.journal.tables import answer as answers
from bigred_server.journal.tables import arming as table
from bigred_server.model.arming import Arming

KEPT = 200
"""How many armings and replies are kept for each box."""

_READER = rows.reader(Arming)


async def add(db: AsyncConnection, arming: Arming) -> None:
    """Record a new arming; end any earlier one of the box."""
    await drop(db, arming.box, arming.made_at)
    await db.execute(insert(table).values(**vars(arming)))


async def drop(db: AsyncConnection, box: str, now: float) -> None:
    """End the arming of a box, if any, because its lid was closed or opened again."""
    unused = (table.c.box == box) & table.c.used_at.is_(None)
    await db.execute(update(table).where(unused).values(used_at=now))
    made = select(table.c.made_at).where(table.c.box == box).order_by(table.c.made_at.desc())
    oldest = made.offset(KEPT).limit(1).scalar_subquery()
    # If the clock was set back, those of its future must not crowd out the newest.
    over = (table.c.made_at <= oldest) | (table.c.made_at > now)
    await db.execute(delete(table).where(table.c.box == box, over))


async def find(db: AsyncConnection, arming_id: str) -> Arming | None:
    """Return an arming, or None if it is unknown."""
    query = select(table).where(table.c.id == arming_id)
    return next(iter(await rows.read(db, query, _READER)), None)


async def use(db: AsyncConnection, arming_id: str, now: float) -> bool:
    """Use up an arming; return False if it was already used."""
    unused = (table.c.id == arming_id) & table.c.used_at.is_(None)
    result = await db.execute(update(table).where(unused).values(used_at=now))
    return result.rowcount == 1


async def answered(db: AsyncConnection, box: str, event: str) -> str | None:
    """Return the reply (JSON) to an event of a box; None if it has not been answered."""
    query = select(answers.c.reply).where(answers.c.box == box, answers.c.event == event)
    return (await db.execute(query)).scalar_one_or_none()


async def replies_since(db: AsyncConnection, since: float) -> list[tuple[str, float, str]]:
    """List the replies after a time (Unix time), newest first: box, time, and JSON."""
    query = select(answers.c.box, answers.c.at, answers.c.reply).where(answers.c.at > since)
    found = await db.execute(query.order_by(answers.c.at.desc()))
    return [(row.box, row.at, row.reply) for row in found]


async def remember(db: AsyncConnection, box: str, event: str, reply: str, now: float) -> None:
    """Record a reply, so that a repeated event gets the same one."""
    await db.execute(insert(answers).values(box=box, event=event, reply=reply, at=now))
    times = select(answers.c.at).where(answers.c.box == box).order_by(answers.c.at.desc())
    oldest = times.offset(KEPT).limit(1).scalar_subquery()
    over = (answers.c.at <= oldest) | (answers.c.at > now)
    await db.execute(delete(answers).where(answers.c.box == box, answers.c.event != event, over))
