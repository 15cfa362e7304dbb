"""Where a server keeps its journal and its releases.

On their own, because every verb of the command line asks, and few need the rest of the server.
"""

from bigred_server.artifacts.store import Store
from bigred_server.journal.database import DatabaseUrl
from bigred_server.settings import ServerSettings


def journal_place(server: ServerSettings) -> DatabaseUrl:
    """Say where the journal is: in PostgreSQL, or a file in the state folder."""
    return server.database or server.state / "bigred.db"


def release_store(server: ServerSettings) -> Store:
    """Give the store of releases."""
    return Store(server.releases or server.state / "releases")
