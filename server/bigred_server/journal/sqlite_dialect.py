"""SQLAlchemy's dialect of SQLite with the journal's driver."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any  # SQLAlchemy's interfaces have untyped arguments

from sqlalchemy import URL
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import AsyncAdaptedQueuePool, Pool
from sqlalchemy.util.concurrency import await_

from bigred_server.journal.sqlite_driver import SqliteConnection, opened, run_in

NAME = "sqlite+bigred"
"""The driver in the URL of an engine."""


class SqliteDialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's dialect of SQLite with this driver."""

    driver = "bigred"
    is_async = True
    has_terminate = True
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, _url: URL) -> type[Pool]:
        """Return the pool: it lets tasks wait."""
        return AsyncAdaptedQueuePool

    def on_connect(self) -> Callable[[DBAPIConnection], None]:
        """Define no functions: no query of the journal uses any."""
        return lambda _connection: None

    def connect(self, *cargs: Any, **cparams: Any) -> SqliteConnection:  # type: ignore[override]
        """Open a connection and prepare it with statements, all in its thread."""
        busy_s = cparams["timeout"]
        thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        opening = partial(opened, cargs[0], busy_s, cparams["prepare"])
        try:
            raw = await_(run_in(thread, opening))
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return SqliteConnection(raw, thread, busy_s, writes=cparams["writes"])

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction."""
        dbapi_connection.begin()

    def do_terminate(self, dbapi_connection: Any) -> None:
        """Close a connection of a cancelled task."""
        dbapi_connection.close()


registry.register(NAME.replace("+", "."), __name__, SqliteDialect.__name__)
