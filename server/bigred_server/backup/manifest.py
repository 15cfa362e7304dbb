"""The manifest of a backup: its first file, which names all others with their digests."""

from importlib.metadata import version

from pydantic import BaseModel, ConfigDict, ValidationError

from bigred_server.errors import BackupError
from bigred_server.journal.database import REVISION

FORMAT = 1
NAME = "manifest.json"
JOURNAL = "bigred.db"
RELEASES = "releases/"
CONFIG = "config/"


class Member(BaseModel):
    """One file: its name in the tar, its SHA-256 and its size in bytes."""

    model_config = ConfigDict(frozen=True)

    name: str
    sha256: str
    size: int


class Manifest(BaseModel):
    """What a backup holds. `made_at`: Unix time. `revision`: of the journal's tables.

    `files` does not have the journal if that is in PostgreSQL. `missing`: the digests of releases
    that the journal needs and the store did not have.
    """

    model_config = ConfigDict(frozen=True)

    v: int
    bigred: str
    revision: str
    made_at: float
    files: tuple[Member, ...]
    missing: tuple[str, ...] = ()

    @property
    def has_journal(self) -> bool:
        """Whether the backup holds the journal."""
        return any(file.name == JOURNAL for file in self.files)

    @property
    def size(self) -> int:
        """The size of all files in bytes."""
        return sum(file.size for file in self.files)


def this_version() -> str:
    """Return the version of Bigred that runs."""
    return version("bigred")


def decode(text: bytes) -> Manifest:
    """Read a manifest. Raise BackupError if it is not one, or if a newer Bigred wrote it."""
    try:
        found = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise BackupError(f"its {NAME} is not readable: {where}: {first['msg']}") from error
    if found.v > FORMAT or found.revision > REVISION:
        raise BackupError(
            f"it was made by a newer Bigred ({found.bigred}, journal {found.revision}), and this "
            f"is {this_version()} (journal {REVISION}): install that version or a newer one first"
        )
    return found
