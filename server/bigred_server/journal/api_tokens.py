"""Record the tokens of the HTTP API in the journal, by their SHA-256."""

from collections.abc import Sequence

from sqlalchemy import bindparam, insert, select, update

from bigred_server.journal import rows
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.tables import api_token as table
from bigred_server.journal.tables import secret as secrets
from bigred_server.model.api_token import ApiToken

_LINKS = "links"

_READER = rows.reader(ApiToken)
_PUBLIC = [column for column in table.c if column is not table.c.digest]
# Made once: every request needs it.
_BY_DIGEST = select(*_PUBLIC).where(table.c.digest == bindparam("given"))


async def add(db: AsyncConnection, token: ApiToken, digest: str) -> None:
    """Record a new token; `digest`: of its secret."""
    await db.execute(insert(table), {**vars(token), "digest": digest})


async def find(db: AsyncConnection, digest: str) -> ApiToken | None:
    """Return the token whose secret has a digest, valid or not; None if there is none."""
    found = await rows.read(db, _BY_DIGEST, _READER, values={"given": digest})
    return next(iter(found), None)


async def every(db: AsyncConnection) -> Sequence[ApiToken]:
    """List all tokens, oldest first, also those that are valid no longer."""
    return await rows.read(db, select(*_PUBLIC).order_by(table.c.created_at, table.c.id), _READER)


async def revoke(db: AsyncConnection, token_id: str, now: float, who: str) -> None:
    """End a token now; one that was revoked before keeps who did it."""
    unrevoked = (table.c.id == token_id) & table.c.revoked_at.is_(None)
    await db.execute(update(table).where(unrevoked).values(revoked_at=now, revoked_by=who))


async def used(db: AsyncConnection, token_id: str, now: float) -> None:
    """Record the last use of a token."""
    await db.execute(update(table).where(table.c.id == token_id).values(used_at=now))


async def link_secret(db: AsyncConnection) -> str:
    """Return what the links to pages are signed with; the migration has created it."""
    found = await db.execute(select(secrets.c.value).where(secrets.c.name == _LINKS))
    return str(found.scalar_one())
