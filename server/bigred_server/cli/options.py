"""What several verbs share: which configuration, which app, and the journal behind it."""

import asyncio
import contextlib
import getpass
import os
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy.exc import DatabaseError

from bigred_server.errors import NotRunningError, UnknownAppError
from bigred_server.journal import session
from bigred_server.journal.database import Database
from bigred_server.places import journal_place
from bigred_server.settings import Settings, load

SYSTEM_CONFIG = Path("/etc/bigred/bigred.toml")
LOCAL_CONFIG = Path("bigred.toml")

_IN_A_FILE = (
    "the journal bigred.db in the state folder",
    "stop the server, put the file aside or a good copy in its place",
)
_IN_POSTGRESQL = ("the journal in PostgreSQL", "look whether the database is up, and call again")

T = TypeVar("T")

config_option = click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="BIGRED_CONFIG",
    help=f"The configuration file; else $BIGRED_CONFIG, ./{LOCAL_CONFIG}, {SYSTEM_CONFIG}.",
)
app_option = click.option("--app", "-a", help="The app; not needed where there is only one.")


def settings_of(config: Path | None) -> Settings:
    """Load the configuration: the one named, or the first that is found. Raises ConfigError."""
    if config is not None:
        if not config.exists():
            raise click.ClickException(
                f"there is no {config}; name another with --config, "
                f"or write one with: bigred init {config}"
            )
        return load(config)
    found = next((path for path in (LOCAL_CONFIG, SYSTEM_CONFIG) if path.exists()), None)
    if found is None:
        raise click.ClickException(
            f"no configuration: neither ./{LOCAL_CONFIG} nor {SYSTEM_CONFIG} is there; "
            "name one with --config, or write one with: bigred init"
        )
    return load(found)


def pick_app(settings: Settings, app: str | None) -> str:
    """Give the app that is named, or the only one. Raises UnknownAppError."""
    known = ", ".join(settings.apps)
    if app is None:
        if len(settings.apps) > 1:
            raise UnknownAppError(f"name the app with --app; there is: {known}")
        return next(iter(settings.apps))
    if app not in settings.apps:
        raise UnknownAppError(f"no app {app!r} in the configuration; there is: {known}")
    return app


@contextlib.asynccontextmanager
async def journal(settings: Settings) -> AsyncIterator[Database]:
    """Open the journal for one verb."""
    need_state(settings)
    db = await Database.open(journal_place(settings.server))
    try:
        yield db
    finally:
        await db.close()


def need_state(settings: Settings) -> None:
    """Raise ClickException unless the state folder is there, or can be made, and can be written."""
    state = settings.server.state
    mend = f"let {person()} write there, or name another folder as 'state' in [server]"
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"{state} can't be made: {error.strerror}; {mend}") from error
    for path in (state, journal_place(settings.server)):
        if isinstance(path, Path) and path.exists() and not os.access(path, os.W_OK):
            raise click.ClickException(f"{path} can't be written; {mend}")


async def is_running(settings: Settings, db: Database) -> bool:
    """Say whether the server runs; of several, whether any does."""
    return await session.is_any_open(journal_place(settings.server), db)


async def need_server(settings: Settings, db: Database) -> None:
    """Raise NotRunningError unless the server runs: what is asked now must not happen later."""
    if not await is_running(settings, db):
        raise NotRunningError("the server is not running; start it with: bigred server")


def person() -> str:
    """Say who types."""
    if behind_sudo := os.environ.get("SUDO_USER"):
        return behind_sudo
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run the asynchronous part of a verb. Raises ClickException when the journal is broken."""
    try:
        return asyncio.run(work)
    except DatabaseError as error:
        what, mend = _IN_A_FILE if isinstance(error.orig, sqlite3.Error) else _IN_POSTGRESQL
        told = " ".join(str(error.orig).split())
        raise click.ClickException(f"{what} can't be used: {told}; {mend}") from error
