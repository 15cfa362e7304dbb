"""The journal on PostgreSQL, which several servers can share.

An unreachable database is an error within seconds, and is used again as soon as it is back. Every
wait has a limit on both sides, so that a server suspended in the middle of a transaction does not
block the others.
"""

import asyncio
from typing import TYPE_CHECKING, Any  # a driver's arguments are untyped

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from bigred_server.errors import JournalError
from bigred_server.journal.engines import WRITES, Engines

if TYPE_CHECKING:
    from psycopg import AsyncConnection

CONNECT_S = 3
STATEMENT_S = 5.0
# Longer than the database's own limit, whose error message is more precise.
ANSWER_S = STATEMENT_S + 1.0

_POOL_S = 5.0
_TURN = 0x62696772656400  # any number that no other program uses; this one spells "bigred"
_LIMITS = {
    "statement_timeout": STATEMENT_S,
    "lock_timeout": STATEMENT_S,
    # Ends a suspended or vanished server's transaction, with its advisory and row locks.
    "idle_in_transaction_session_timeout": STATEMENT_S,
    "client_connection_check_interval": 1.0,
}


def engines(url: str) -> Engines:
    """Return the engines of a database. Raise JournalError if the driver is missing."""
    parsed = _url(url)
    options = " ".join(f"-c {name}={limit_s * 1000:.0f}" for name, limit_s in _LIMITS.items())
    engine: Engine = create_engine(
        parsed,
        # Costs a round trip, and avoids an error for each connection that a restart has closed.
        pool_pre_ping=True,
        pool_timeout=_POOL_S,
        connect_args={
            "async_creator_fn": _driver(),
            "connect_timeout": CONNECT_S,
            "application_name": "bigred",
            "options": f"{options} {parsed.query.get('options', '')}".strip(),
        },
    )
    event.listen(engine, "begin", _on_begin)
    # Readers see a snapshot, as on SQLite; writers must see all commits before their turn.
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    concurrent = engine.execution_options(isolation_level="READ COMMITTED")
    return Engines(
        reader=reader,
        writer=concurrent.execution_options(**{WRITES: True}),
        concurrent_writer=concurrent,
    )


def shown(url: str) -> str:
    """Return a database's URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def _url(url: str) -> URL:
    try:
        return make_url(url).set(drivername="postgresql+psycopg_async")
    except (ArgumentError, ValueError) as error:
        # Do not include the error: its text contains the password.
        raise JournalError(
            "'database' in [server] is not a URL: write postgresql://user:password@host/name, "
            "with %40 for an @ in the password"
        ) from error


def _on_begin(connection: Connection) -> None:
    """Make writers take turns, as BEGIN IMMEDIATE does on SQLite, so that both behave the same.

    The lock ends with the transaction. It must be the first statement, and the isolation level
    must be READ COMMITTED: a higher one would take the snapshot before the wait for the turn.
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
        """Replaces NUL, which PostgreSQL refuses and a command's output may contain."""

        def dump(self, obj: str) -> Buffer | None:
            return super().dump(obj.replace("\0", "\ufffd"))

    class Bounded(psycopg.AsyncConnection[Any]):
        """A connection that is closed if no answer comes or the caller is cancelled.

        The driver itself would ask the database to cancel and wait up to ten seconds.
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
