"""Options and helpers that several verbs share: the configuration, the app, the journal."""

import asyncio
import contextlib
import getpass
import os
import shutil
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy.exc import DatabaseError

from bigred_server import private_files
from bigred_server.errors import NotRunningError, UnknownAppError
from bigred_server.journal import presence
from bigred_server.journal.database import Database
from bigred_server.journal.disk import is_full, is_read_only
from bigred_server.journal.unavailable import BRIEFLY, JournalUnavailableError, Trouble
from bigred_server.model.disk_space import SPARE_BYTES
from bigred_server.model.plain_text import MOST_WHO, plain
from bigred_server.places import journal_place
from bigred_server.settings import Settings, load

SYSTEM_CONFIG = Path("/etc/bigred/bigred.toml")
LOCAL_CONFIG = Path("bigred.toml")

_WAITING = "until then nothing begins, and what was begun waits"

T = TypeVar("T")

config_option = click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="BIGRED_CONFIG",
    help="The configuration file; by default the first of "
    f"$BIGRED_CONFIG, ./{LOCAL_CONFIG} and {SYSTEM_CONFIG}.",
)
app_option = click.option("--app", "-a", help="The app; not needed if there is only one.")


def settings_of(config: Path | None) -> Settings:
    """Load the given configuration, or the first that exists. Raise ConfigError if it is wrong."""
    return load(config_file(config))


def config_file(config: Path | None) -> Path:
    """Return the given configuration, or the first that exists. Raise ClickException if none."""
    if config is not None:
        if not config.exists():
            raise click.ClickException(
                f"{config} does not exist; name another file with --config, "
                f"or create it with: bigred init {config}"
            )
        return config
    found = next((path for path in (LOCAL_CONFIG, SYSTEM_CONFIG) if path.exists()), None)
    if found is None:
        raise click.ClickException(
            f"no configuration: neither ./{LOCAL_CONFIG} nor {SYSTEM_CONFIG} exists; "
            "name one with --config, or create one with: bigred init"
        )
    return found


def pick_app(settings: Settings, app: str | None) -> str:
    """Return the name of the given app, or of the only one. Raise UnknownAppError."""
    known = ", ".join(settings.apps)
    if app is None:
        if len(settings.apps) > 1:
            raise UnknownAppError(f"name the app with --app; available: {known}")
        return next(iter(settings.apps))
    if app not in settings.apps:
        raise UnknownAppError(f"no app {app!r} in the configuration; available: {known}")
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
    """Create the state folder if needed. Raise ClickException if it can't be written."""
    state = settings.server.state
    fix = "run this as the user of the server, or set `state` in [server] to another folder"
    try:
        private_files.make_folder(state)
    except OSError as error:
        raise click.ClickException(f"can't create {state}: {error.strerror}; {fix}") from error
    for path in (state, journal_place(settings.server)):
        if not isinstance(path, Path) or not path.exists() or is_read_only(path):
            continue
        if not os.access(path, os.W_OK):
            raise click.ClickException(f"{path} can't be written; {fix}")


def disk_notes(settings: Settings) -> list[str]:
    """Return what is wrong with the disk of the state folder: while it is, nothing can begin."""
    state = settings.server.state
    if is_read_only(state):
        return [f"{BRIEFLY[Trouble.READ_ONLY]}: make {state} writable again; {_WAITING}"]
    if is_full(state):
        return [f"{BRIEFLY[Trouble.FULL]}: free some space in {state}; {_WAITING}"]
    if shutil.disk_usage(state).free < SPARE_BYTES:
        what = f"{state} has less than {SPARE_BYTES >> 20} MiB free"
        return [f"{what}: builds wait, and releases are refused; free some space there"]
    return []


async def is_running(settings: Settings, db: Database) -> bool:
    """Return whether a server is running."""
    return await presence.is_any_open(journal_place(settings.server), db)


async def need_server(settings: Settings, db: Database) -> None:
    """Raise NotRunningError if no server is running: a command must not be carried out later."""
    if not await is_running(settings, db):
        raise NotRunningError("the server is not running; start it with: bigred server")


def person() -> str:
    """Return the name of the user who runs the command, also behind sudo."""
    if behind_sudo := os.environ.get("SUDO_USER"):
        return plain(behind_sudo, MOST_WHO)
    try:
        return plain(getpass.getuser(), MOST_WHO)
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run the asynchronous part of a verb. Raise ClickException if the journal can't be used."""
    try:
        return asyncio.run(work)
    except JournalUnavailableError as error:
        raise click.ClickException(str(error)) from error
    except DatabaseError as error:
        cause = " ".join(str(error.orig).split())
        raise click.ClickException(
            f"the journal in PostgreSQL can't be used: {cause}; check that the database is up, and "
            "try again"
        ) from error
