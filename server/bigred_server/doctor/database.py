"""The database of several servers: whether it answers, and whether its clock is ours."""

import asyncio
import time

from bigred_server.doctor import site
from bigred_server.doctor.finding import Finding, Severity

_DEADLINE_S = 5.0
_WHERE = "database"


async def clock(url: str) -> list[Finding]:
    """Look at a PostgreSQL's clock; SQLite, the empty URL, has none but ours."""
    if not url:
        return []
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.ext.asyncio import create_async_engine

    scheme, _, rest = url.partition("://")
    try:
        engine = create_async_engine(f"{scheme.partition('+')[0]}+psycopg://{rest}")
    except ModuleNotFoundError:
        mend = "install Bigred with its extra: bigred[server,postgresql]"
        return [Finding(_WHERE, Severity.BAD, _WHERE, "its driver psycopg is not installed", mend)]
    try:
        async with asyncio.timeout(_DEADLINE_S), engine.connect() as connection:
            before_s = time.time()
            # Cut to whole seconds, as the dates of HTTP servers are.
            asked = text("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint")
            theirs_s = (await connection.execute(asked)).scalar_one()
            found = site.clock(_WHERE, float(theirs_s), before_s, time.time())
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        mend = "mend `database` in [server], or start it: the server needs it"
        return [Finding(_WHERE, Severity.BAD, _WHERE, f"it does not answer: {told}", mend)]
    finally:
        await engine.dispose()
    return [Finding(_WHERE, Severity.OK, _WHERE, "it answers"), found]
