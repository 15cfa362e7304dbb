"""The journal on PostgreSQL, which several servers share.

A database that is away is an error within seconds, and used again as soon as it is back: every
wait has an end on both sides, for a server that was stopped in the middle of a transaction must
not keep the others waiting either.
"""

import asyncio
from typing import TYPE_CHECKING, Any  # a driver's arguments are untyped

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bigred_server.errors import JournalError
from bigred_server.journal.engines import WRITES, Engines

if TYPE_CHECKING:
    from psycopg import AsyncConnection

CONNECT_S = 3
STATEMENT_S = 5.0
# Longer than the database's own limit, whose error says more.
ANSWER_S = STATEMENT_S + 1.0

_POOL_S = 5.0
_TURN = 0x62696772656400  # any number will do that nobody else takes; this one is "bigred"
_LIMITS = {
    "statement_timeout": STATEMENT_S,
    "lock_timeout": STATEMENT_S,
    # Ends what a stopped or vanished server holds: its turn, and the rows that it locked.
    "idle_in_transaction_session_timeout": STATEMENT_S,
    "client_connection_check_interval": 1.0,
}


def engines(url: str) -> Engines:
    """Give the engines of a database. Raises JournalError when the driver is missing."""
    place = _url(url)
    options = " ".join(f"-c {name}={limit_s * 1000:.0f}" for name, limit_s in _LIMITS.items())
    engine: AsyncEngine = create_async_engine(
        place,
        # Costs a round trip, and saves an error for each connection that a restart has cut.
        pool_pre_ping=True,
        pool_timeout=_POOL_S,
        connect_args={
            "async_creator_fn": _driver(),
            "connect_timeout": CONNECT_S,
            "application_name": "bigred",
            "options": f"{options} {place.query.get('options', '')}".strip(),
        },
    )
    event.listen(engine.sync_engine, "begin", _on_begin)
    # A snapshot, as SQLite's readers have it; a writer must see what was written before its turn.
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    aside = engine.execution_options(isolation_level="READ COMMITTED")
    return Engines(reader=reader, writer=aside.execution_options(**{WRITES: True}), aside=aside)


def shown(url: str) -> str:
    """Give a database's address without its password."""
    return make_url(url).render_as_string(hide_password=True)


def _url(url: str) -> URL:
    try:
        return make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError) as error:
        # The text of the error would show the password.
        raise JournalError(
            "'database' in [server] is no URL: write postgresql://user:password@host/name, "
            "with %40 for an @ in the password"
        ) from error


def _on_begin(connection: Connection) -> None:
    """Let writers take turns, as SQLite's BEGIN IMMEDIATE does, so that one code is right on both.

    The lock ends with the transaction, however that ends. It must come first, and the isolation
    be READ COMMITTED: with a higher one the snapshot would be as old as the wait for the turn.
    """
    if connection.get_execution_options().get(WRITES):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")


def _driver() -> Any:
    try:
        import psycopg
        from psycopg import waiting
        from psycopg.abc import Buffer
        from psycopg.types.string import StrDumper
    except ImportError as error:
        raise JournalError(
            "a journal on PostgreSQL needs psycopg, which is not installed: "
            'pip install "bigred[postgresql]"'
        ) from error

    class Text(StrDumper):
        """Texts without NUL, which PostgreSQL refuses and a command's output may have."""

        def dump(self, obj: str) -> Buffer | None:
            return super().dump(obj.replace("\0", "\ufffd"))

    class Bounded(psycopg.AsyncConnection[Any]):
        """A connection that hangs up when no answer comes, or when nobody waits any more.

        The driver's own way is to ask the database to cancel and to wait up to ten seconds.
        """

        async def wait(
            self,
            gen: Any,
            interval: float = 0.1,
            timeout: float | None = None,  # noqa: ASYNC109
        ) -> Any:
            try:
                return await waiting.wait_async(
                    gen, self.pgconn.socket, interval, timeout or ANSWER_S
                )
            except asyncio.CancelledError:
                self.pgconn.finish()
                raise
            except psycopg.errors._WaitTimeout as error:
                self.pgconn.finish()
                raise psycopg.OperationalError(f"no answer within {ANSWER_S:g} s") from error

    async def connect(*args: Any, **more: Any) -> "AsyncConnection[Any]":
        connection = await Bounded.connect(*args, **more)
        connection.adapters.register_dumper(str, Text)
        return connection

    return connect
