"""Where a server keeps its journal, its releases and its builds.

A module of its own because every command needs it, and few need the rest of the server.
"""

from pathlib import Path

from bigred_server.artifacts.store import Store
from bigred_server.journal.database import DatabaseUrl
from bigred_server.settings import ServerSettings


def journal_place(server: ServerSettings) -> DatabaseUrl:
    """Return the journal's location: a PostgreSQL URL, or a file in the state folder."""
    return server.database or server.state / "bigred.db"


def release_store(server: ServerSettings) -> Store:
    """Return the store of releases."""
    return Store(server.releases or server.state / "releases", server.wars)


def builds_folder(state: Path, app: str) -> Path:
    """Return the folder for an app's builds and their logs, inside the state folder."""
    return state / "builds" / app
