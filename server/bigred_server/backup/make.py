"""Make a backup, also while the server is running."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from bigred_server.artifacts.files import digest_of, sync
from bigred_server.artifacts.retention import Retention
from bigred_server.artifacts.space import shortage
from bigred_server.artifacts.store import Store
from bigred_server.backup import archive
from bigred_server.backup.archive import Advance
from bigred_server.backup.manifest import (
    CONFIG,
    FORMAT,
    JOURNAL,
    RELEASES,
    Manifest,
    Member,
    this_version,
)
from bigred_server.errors import BackupError
from bigred_server.journal import releases
from bigred_server.journal.database import REVISION, Database, DatabaseUrl
from bigred_server.journal.unavailable import of_sqlite

_PREFIX = ".bigred-backup-"
_ABANDONED_S = 86_400.0
# For the tar's own headers, and so that the disk is not full afterwards.
_MARGIN_BYTES = 8 << 20


@dataclass(frozen=True)
class BackupPlan:
    """What to back up. `keeps`: as for Retention; `config`: the configuration, None for none."""

    journal: DatabaseUrl
    store: Store
    keeps: Mapping[str, int]
    config: Path | None = None


@dataclass(frozen=True)
class Backup:
    """A backup that was made."""

    file: Path
    manifest: Manifest


def target(given: Path, now: float) -> Path:
    """Return the file to write: the given one, or one in the given folder, named by the time.

    Raise BackupError if it exists, or if its folder does not.
    """
    if given.is_dir():
        given /= f"bigred-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}.tar"
    if given.exists():
        raise BackupError(f"{given} exists and was not changed; name another file, or a folder")
    if not given.parent.is_dir():
        raise BackupError(f"the folder {given.parent} does not exist; create it first")
    return given


async def make(plan: BackupPlan, to: Path, advance: Advance, begin: Advance) -> Backup:
    """Make a backup; `begin` is called with the number of bytes, `advance` with each part of it.

    Raise BackupError, and leave nothing, if that fails.
    """
    now = time.time()
    to = target(to, now)
    try:
        with _work_folder(to.parent) as work, ExitStack() as stack:
            sources = await _sources(plan, work, stack)
            missing = tuple(sorted(name for name, file in sources.items() if file is None))
            found = {name: file for name, file in sources.items() if file is not None}
            manifest = Manifest(
                v=FORMAT,
                bigred=this_version(),
                revision=REVISION,
                made_at=now,
                files=tuple(_member(name, file) for name, file in found.items()),
                missing=tuple(_digest(name) for name in missing),
            )
            _check_space(to.parent, manifest.size)
            begin(manifest.size)
            part = work / "backup.tar"
            part.touch(mode=0o600)
            archive.write(part, manifest, found, advance)
            sync(part)
            part.rename(to)
            sync(to.parent)
    except OSError as error:
        raise BackupError(f"{to} can't be written: {error.strerror}; nothing was left") from error
    return Backup(to, manifest)


async def _sources(plan: BackupPlan, work: Path, stack: ExitStack) -> dict[str, IO[bytes] | None]:
    """Open all files to back up, those of one moment; None for a release that is not whole."""
    sources: dict[str, IO[bytes] | None] = {}
    place = plan.journal
    if isinstance(place, Path):
        place = _copy(place, work / JOURNAL)
    db = await Database.open(place)
    try:
        async with db.read() as connection:
            apps = await releases.apps(connection)
        retention = Retention(db, plan.store, plan.keeps)
        wanted = {digest for app in apps for digest in await retention.wanted(app)}
    finally:
        await db.close()
    for digest in sorted(wanted):
        # Open from now on: if it is removed meanwhile, we can still read it.
        sources[f"{RELEASES}{digest}.war"] = _open_war(plan.store.path(digest), digest, stack)
    if isinstance(place, Path):
        sources = {JOURNAL: stack.enter_context(place.open("rb")), **sources}
    if plan.config is not None:
        sources[f"{CONFIG}{plan.config.name}"] = stack.enter_context(plan.config.open("rb"))
    return sources


def _copy(journal: Path, to: Path) -> Path:
    """Copy the state of one moment of a journal that is in use. Raise BackupError if it is absent.

    Readers of SQLite's write-ahead log see one state, and no writer waits for them.
    """
    if not journal.exists():
        raise BackupError(f"there is no journal {journal}: there is nothing to back up")
    size = sum(path.stat().st_size for path in (journal, Path(f"{journal}-wal")) if path.exists())
    # Its work folder is in the folder of the backup.
    _check_space(to.parent.parent, 2 * size)
    try:
        with closing(sqlite3.connect(f"{journal.resolve().as_uri()}?mode=ro", uri=True)) as db:
            db.execute("VACUUM INTO ?", (str(to),))
    except sqlite3.Error as error:
        raise of_sqlite(journal, error) from error
    return to


def _open_war(path: Path, digest: str, stack: ExitStack) -> IO[bytes] | None:
    try:
        file = stack.enter_context(path.open("rb"))
    except FileNotFoundError:
        return None
    return file if digest_of(Path(f"/proc/self/fd/{file.fileno()}")) == digest else None


def _member(name: str, file: IO[bytes]) -> Member:
    path = Path(f"/proc/self/fd/{file.fileno()}")
    sha256 = _digest(name) if name.startswith(RELEASES) else digest_of(path)
    return Member(name=name, sha256=sha256, size=path.stat().st_size)


def _digest(name: str) -> str:
    return Path(name).stem


def _check_space(folder: Path, size: int) -> None:
    if lacks := shortage(folder, "the backup", size, _MARGIN_BYTES):
        raise BackupError(f"{lacks}, or name another folder")


@contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """Create a folder for the parts of a backup; remove it, and those that others left, at the end.

    In the folder of the backup, because a file can be renamed only within one disk.
    """
    for left in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(left)
    before = os.umask(0o077)
    try:
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder) as name:
            yield Path(name)
    finally:
        os.umask(before)
