"""Record armings in the journal, and the replies already sent to boxes."""

from sqlalchemy import (
    BindParameter,
    Column,
    Delete,
    Integer,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from bigred_server.journal import rows
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.tables import answer as answers
from bigred_server.journal.tables import arming as table
from bigred_server.model.arming import Arming

KEPT = 200
"""How many armings and replies of each box are left when they are tidied."""

_READER = rows.reader(Arming)

# These are made once: to put a statement together takes SQLAlchemy longer than to execute it.
_BOX: BindParameter[str] = bindparam("of_box")
_END_UNUSED = (
    update(table)
    .where(table.c.box == _BOX, table.c.used_at.is_(None))
    .values(used_at=bindparam("now"))
)
_ADD_ARMING, _ADD_ANSWER = insert(table), insert(answers)
_REPLY = select(answers.c.reply).where(answers.c.box == _BOX, answers.c.event == bindparam("to"))


def _tidying(kind: Table, at: Column[float]) -> Delete:
    """Return the statement that deletes all rows of a box but so many of the newest.

    If the clock was set back, those of its future must not crowd out what is new.
    """
    times = select(at).where(kind.c.box == _BOX).order_by(at.desc())
    oldest = times.offset(bindparam("kept", type_=Integer)).limit(1).scalar_subquery()
    return delete(kind).where(kind.c.box == _BOX, (at <= oldest) | (at > bindparam("now")))


_TIDY_ARMINGS = _tidying(table, table.c.made_at)
_TIDY_ANSWERS = _tidying(answers, answers.c.at)


async def add(db: AsyncConnection, arming: Arming) -> None:
    """Record a new arming; end any earlier one of the box."""
    await drop(db, arming.box, arming.made_at)
    await db.execute(_ADD_ARMING, vars(arming))


async def tidy(db: AsyncConnection, box: str, now: float) -> None:
    """Delete the oldest armings and replies of a box beyond so many of each."""
    for statement in (_TIDY_ARMINGS, _TIDY_ANSWERS):
        await db.execute(statement, {"of_box": box, "kept": KEPT, "now": now})


async def drop(db: AsyncConnection, box: str, now: float) -> None:
    """End the arming of a box, if any, because its lid was closed or opened again."""
    await db.execute(_END_UNUSED, {"of_box": box, "now": now})


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
    return (await db.execute(_REPLY, {"of_box": box, "to": event})).scalar_one_or_none()


async def replies_since(db: AsyncConnection, since: float) -> list[tuple[str, float, str]]:
    """List the replies after a time (Unix time), newest first: box, time, and JSON."""
    query = select(answers.c.box, answers.c.at, answers.c.reply).where(answers.c.at > since)
    found = await db.execute(query.order_by(answers.c.at.desc()))
    return [(row.box, row.at, row.reply) for row in found]


async def remember(db: AsyncConnection, box: str, event: str, reply: str, now: float) -> None:
    """Record a reply, so that a repeated event gets the same one."""
    await db.execute(_ADD_ANSWER, {"box": box, "event": event, "reply": reply, "at": now})
