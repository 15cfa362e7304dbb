"""Check the database that several servers share: it answers, and its clock agrees with ours."""

import asyncio
import time

from bigred_server.doctor import site
from bigred_server.doctor.finding import Finding, Severity

_DEADLINE_S = 5.0
_WHERE = "database"


async def check(url: str) -> list[Finding]:
    """Check PostgreSQL and its clock; SQLite, the empty URL, has no clock of its own."""
    if not url:
        return []
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.ext.asyncio import create_async_engine

    scheme, _, rest = url.partition("://")
    try:
        engine = create_async_engine(f"{scheme.partition('+')[0]}+psycopg://{rest}")
    except ModuleNotFoundError:
        fix = "install Bigred with this extra: bigred[server,postgresql]"
        return [Finding(_WHERE, Severity.BAD, _WHERE, "its driver psycopg is not installed", fix)]
    try:
        async with asyncio.timeout(_DEADLINE_S), engine.connect() as connection:
            before_s = time.time()
            # Truncated to whole seconds, as the dates of HTTP servers are.
            query = text("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint")
            theirs_s = (await connection.execute(query)).scalar_one()
            clock = site.clock(_WHERE, float(theirs_s), before_s, time.time())
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        fix = "start it, or correct `database` in [server]: the server needs it"
        return [Finding(_WHERE, Severity.BAD, _WHERE, f"it does not answer: {reason}", fix)]
    finally:
        await engine.dispose()
    return [Finding(_WHERE, Severity.OK, _WHERE, "it answers"), clock]
