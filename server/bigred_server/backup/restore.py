"""Restore a backup: verified before anything is written, and in place as a whole or not at all."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bigred_server import private_files
from bigred_server.artifacts.files import digest_of, sync
from bigred_server.artifacts.space import shortage
from bigred_server.artifacts.store import Store
from bigred_server.backup import archive
from bigred_server.backup.archive import Advance
from bigred_server.backup.manifest import CONFIG, JOURNAL, RELEASES, Manifest
from bigred_server.errors import BackupError
from bigred_server.journal import lock, presence, restored
from bigred_server.journal.database import Database, DatabaseUrl

_PREFIX = ".bigred-restore-"
_MARGIN_BYTES = 64 << 20
_WITH_IT = ("", "-wal", "-shm")


@dataclass(frozen=True)
class Place:
    """Where to restore: the state folder, the journal (a file in it, or PostgreSQL), the store."""

    state: Path
    journal: DatabaseUrl
    store: Store


@dataclass(frozen=True)
class Restored:
    """What was restored. `aside`: where the journal is that was there before.

    `config`: where the configuration of the backup is now. `created`: the folders that did not
    exist before, without those in them.
    """

    manifest: Manifest
    aside: Path | None = None
    config: Path | None = None
    created: tuple[Path, ...] = ()


def backup_text(manifest: Manifest) -> str:
    """Name a backup by its time, for the journal."""
    return f"the backup of {datetime.fromtimestamp(manifest.made_at, UTC):%Y-%m-%d %H:%M} UTC"


async def restore(
    backup: Path, place: Place, advance: Advance, begin: Advance, *, force: bool = False
) -> Restored:
    """Restore a backup; `begin` and `advance` are called as by `make`, for two passes.

    Raise BackupError, and change nothing, if the backup is not whole, if the place has a journal
    and `force` is not given, or if there is no room; NotRunningError if a server is running there.
    """
    begin(_passes_bytes(backup))
    manifest = archive.verify(backup, advance)
    file = place.journal if isinstance(place.journal, Path) else None
    if file is not None and not manifest.has_journal:
        raise BackupError(
            f"{backup} has no journal, because it was made with one in PostgreSQL: set `database` "
            "in [server], and restore that database first"
        )
    if file is not None and not force and _there(file):
        raise BackupError(
            f"{file} exists and was not changed; give another folder with --state, or move it "
            "aside with --force"
        )
    try:
        return await _restore(backup, manifest, place, file, advance)
    except OSError as error:
        text = f"{place.state} can't be written: {error.strerror or error}"
        raise BackupError(f"{text}; its journal was not changed") from error


async def _restore(
    backup: Path, manifest: Manifest, place: Place, file: Path | None, advance: Advance
) -> Restored:
    if not isinstance(place.journal, Path):
        await _check_unused(place.journal)
    folders = (place.state, place.store.folder)
    created = dict.fromkeys(one for folder in folders for one in _absent(folder))
    for folder in folders:
        private_files.make_folder(folder)
    _check_space(place, manifest)
    with (
        lock.held(file) if file else contextlib.nullcontext(),
        _work_folder(place.store.folder) as work,
    ):
        archive.extract(backup, work, advance)
        if file is not None:
            await _settle(work / JOURNAL, manifest)
        for path in (work, *sorted(work.rglob("*"))):
            private_files.leave_to_owner(path)
        for war in sorted((work / RELEASES).glob("*.war")):
            _put(war, place.store)
        sync(place.store.folder)
        config = _put_config(work / CONFIG, place.state)
        aside = None
        if file is not None:
            aside = _replace(file, work / JOURNAL)
        elif not isinstance(place.journal, Path):
            # Again, because nothing keeps a server from starting meanwhile.
            await _check_unused(place.journal)
            await _settle(place.journal, manifest)
    return Restored(manifest, aside, config, tuple(created))


async def _check_unused(database: str) -> None:
    """Raise BackupError if a server uses a PostgreSQL database."""
    db = await Database.open(database)
    try:
        if await presence.is_any_open(database, db):
            raise BackupError("a server uses this database; stop all servers first")
    finally:
        await db.close()


async def _settle(journal: DatabaseUrl, manifest: Manifest) -> None:
    """Migrate a restored journal, and end what it had begun."""
    db = await Database.open(journal)
    try:
        async with db.write() as connection:
            await restored.settle(connection, backup_text(manifest), time.time())
    finally:
        await db.close()


def _put(war: Path, store: Store) -> None:
    """Move a release into the store, where it does no harm to a journal that is still there."""
    to = store.path(war.stem)
    if to.exists() and digest_of(to) == war.stem:
        return
    sync(war)
    war.chmod(0o400)
    war.replace(to)


def _put_config(folder: Path, state: Path) -> Path | None:
    """Put the configuration beside the journal, for people: it may name what is only there."""
    for found in folder.glob("*"):
        to = state / f"{found.name}.restored"
        shutil.copyfile(found, to)
        to.chmod(private_files.FILE)
        private_files.leave_to_owner(to)
        return to
    return None


def _replace(file: Path, new: Path) -> Path | None:
    """Put a journal in place; return where the one is that was there before.

    Whenever this is killed, either the old one is in place or the new one, and whole.
    """
    aside = None
    if _there(file):
        # Otherwise the new journal would be read with the log of the old one.
        with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(file)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        aside = file.with_name(f"{file.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
        for suffix in _WITH_IT:
            with contextlib.suppress(FileNotFoundError):
                os.link(f"{file}{suffix}", f"{aside}{suffix}")
        for suffix in _WITH_IT[1:]:
            Path(f"{file}{suffix}").unlink(missing_ok=True)
    moved = file.with_name(f"{file.name}.new")
    shutil.copy2(new, moved)
    private_files.leave_to_owner(moved)
    sync(moved)
    moved.replace(file)
    sync(file.parent)
    return aside


def _passes_bytes(backup: Path) -> int:
    return 2 * backup.stat().st_size if backup.is_file() else 0


def _there(file: Path) -> bool:
    return any(Path(f"{file}{suffix}").exists() for suffix in _WITH_IT)


def _absent(folder: Path) -> list[Path]:
    """Return the outermost folder that must be created for this one, if any."""
    return [each for each in (folder, *folder.parents) if not each.exists()][-1:]


def _check_space(place: Place, manifest: Manifest) -> None:
    for folder in (place.state, place.store.folder):
        if lacks := shortage(folder, "the backup", manifest.size, _MARGIN_BYTES):
            raise BackupError(lacks)


@contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """Create a folder for what is extracted; remove it, and what a killed restoration left."""
    for left in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder) as name:
        yield Path(name)
