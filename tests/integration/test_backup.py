"""Backups are whole and of one moment; what is restored is whole, and begins nothing by itself."""

import contextlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.disk import small_disk
from tests.support.postgresql import Cluster

from bigred_broker.messages import Phase
from bigred_server.artifacts.files import digest_of
from bigred_server.artifacts.store import Store
from bigred_server.backup.make import Backup, BackupPlan, make
from bigred_server.backup.restore import Place, Restored, restore
from bigred_server.cli.restore import command
from bigred_server.errors import BackupError, NotRunningError
from bigred_server.journal import actions, armings, builds, deployments, events, lock, releases
from bigred_server.journal.database import Database
from bigred_server.journal.lease import Lease
from bigred_server.model.arming import Arming
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage, candidate
from bigred_server.requests.continuous import due

MIB = 1 << 20
KEEPS = {"shop": 5}
STAGES = {"1.0.0": Stage.RETIRED, "1.1.0": Stage.LIVE, "1.2.0": Stage.READY}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def nothing(_bytes: int) -> None:
    pass


class Server:
    """The state folder of a server, with three releases and everything in progress.

    `database`: the URL of its journal in PostgreSQL, if it is there.
    """

    def __init__(self, folder: Path, database: str = "") -> None:
        self.folder, self.file = folder, folder / "bigred.db"
        self.journal = database or self.file
        self.store = Store(folder / "releases")
        self.place = Place(folder, self.journal, self.store)

    async def fill(self) -> None:
        db = await Database.open(self.journal)
        async with db.write() as connection:
            for number, (version, stage) in enumerate(STAGES.items()):
                war = self.folder / "new.war"
                war.write_bytes(os.urandom(MIB // 4))
                digest = self.store.put(war)
                war.unlink()
                size = self.store.size(digest)
                made = Release("shop", digest, version, version, stage, 100.0 + number, size=size)
                await releases.add(connection, made)
            known = {one.version: one.digest for one in await releases.of_app(connection, "shop")}
            done = DeploymentRecord("d-1", "shop", known["1.1.0"], known["1.0.0"], "ada", 200.0)
            done = replace(done, phase=Phase.SUCCEEDED, ended_at=201.0, skipped=("node2",))
            await deployments.add(connection, done)
            running = DeploymentRecord("d-2", "shop", known["1.2.0"], known["1.1.0"], "ada", 300.0)
            await deployments.add(connection, replace(running, phase=Phase.ROLLING))
            await actions.begin(connection, "d-2", "node1", "stop", known["1.2.0"], 301.0)
            arming = Arming("x" * 32, "office", "shop", known["1.2.0"], "run", 1e9, 300.0)
            await armings.add(connection, arming)
            await armings.remember(connection, "office", "e-1", "{}", time.time())
            await builds.submit(connection, "shop", "c" * 40, "main", "ada", 300.0)
        await db.close()

    async def open(self) -> Database:
        return await Database.open(self.journal)

    async def releases(self) -> list[Release]:
        db = await self.open()
        async with db.read() as connection:
            found = await releases.of_app(connection, "shop")
        await db.close()
        return found

    def files(self) -> dict[str, str]:
        """Return all files by name, with their digests; a lock that nobody holds says nothing."""
        return {
            str(path.relative_to(self.folder)): digest_of(path)
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path.suffix != ".lock"
        }

    async def backup(self, to: Path, **more: object) -> Backup:
        plan = BackupPlan(self.journal, self.store, KEEPS, **more)  # type: ignore[arg-type]
        return await make(plan, to, nothing, nothing)

    async def restore(self, backup: Path, *, force: bool = False) -> Restored:
        return await restore(backup, self.place, nothing, nothing, force=force)


@pytest.fixture
async def server(tmp_path: Path) -> Server:
    made = Server(tmp_path / "state")
    made.folder.mkdir()
    await made.fill()
    return made


@pytest.fixture
def other(tmp_path: Path) -> Server:
    return Server(tmp_path / "other")


@pytest.fixture
async def backup(server: Server, tmp_path: Path) -> Path:
    return (await server.backup(tmp_path / "backup.tar")).file


# --- make ----------------------------------------------------------------------------------------


async def test_a_backup_is_a_plain_tar_for_its_owner_alone(server: Server, tmp_path: Path) -> None:
    made = await server.backup(tmp_path)
    assert made.file.stat().st_mode & 0o777 == 0o600
    assert made.file.name.startswith("bigred-")
    with tarfile.open(made.file, "r:") as tar:
        names = tar.getnames()
        assert {member.mode for member in tar.getmembers()} == {0o600}
    digests = {one.digest for one in await server.releases()}
    assert names[:2] == ["manifest.json", "bigred.db"]
    assert set(names[2:]) == {f"releases/{digest}.war" for digest in digests}
    assert names_in(tmp_path) == sorted([made.file.name, "state"])


async def test_the_configuration_is_included_only_if_asked_for(
    server: Server, other: Server, tmp_path: Path
) -> None:
    config = tmp_path / "bigred.toml"
    config.write_text("[server]\nsecret = 'x'\n")
    made = await server.backup(tmp_path / "with.tar", config=config)
    restored = await other.restore(made.file)
    assert restored.config == other.folder / "bigred.toml.restored"
    assert restored.config.read_text() == config.read_text()
    assert restored.config.stat().st_mode & 0o777 == 0o600


async def test_a_file_that_exists_is_never_overwritten(server: Server, backup: Path) -> None:
    before = digest_of(backup)
    with pytest.raises(BackupError, match="exists and was not changed; name another file"):
        await server.backup(backup)
    assert digest_of(backup) == before


async def test_a_release_that_is_not_whole_is_named_and_the_rest_is_backed_up(
    server: Server, other: Server, tmp_path: Path
) -> None:
    gone, rotten, whole = await server.releases()
    server.store.path(gone.digest).unlink()
    server.store.path(rotten.digest).chmod(0o600)
    server.store.path(rotten.digest).write_bytes(b"rotten")
    made = await server.backup(tmp_path / "backup.tar")
    assert set(made.manifest.missing) == {gone.digest, rotten.digest}
    await other.restore(made.file)
    assert [one.digest for one in other.store.contents()] == [whole.digest]


async def test_a_backup_does_not_wait_for_a_transaction_and_does_not_have_half_of_it(
    server: Server, other: Server, tmp_path: Path
) -> None:
    db = await server.open()
    async with db.write() as connection:
        await deployments.change(connection, "d-1", reason="half")
        made = await server.backup(tmp_path / "backup.tar")
    await db.close()
    await other.restore(made.file)
    restored = await other.open()
    async with restored.read() as connection:
        found = await deployments.find(connection, "d-1")
    await restored.close()
    assert found is not None
    assert found.reason == ""


async def test_a_backup_while_much_is_written_is_of_one_moment(
    server: Server, other: Server, tmp_path: Path
) -> None:
    stop = threading.Event()

    def writes() -> None:
        with closing(sqlite3.connect(server.file, timeout=10, isolation_level=None)) as db:
            number = 0
            while not stop.is_set():
                number += 1
                db.execute("BEGIN IMMEDIATE")
                db.execute("UPDATE deployment SET reason = ? WHERE id = 'd-1'", (str(number),))
                db.execute("UPDATE release SET message = ?", (str(number),))
                db.execute("COMMIT")

    writer = threading.Thread(target=writes)
    writer.start()
    try:
        made = [(await server.backup(tmp_path / f"{number}.tar")).file for number in range(5)]
    finally:
        stop.set()
        writer.join(10)
    for file in made:
        await other.restore(file, force=True)
        db = await other.open()
        async with db.read() as connection:
            record = await deployments.find(connection, "d-1")
            messages = {one.message for one in await releases.of_app(connection, "shop")}
        await db.close()
        assert record is not None
        assert messages == {record.reason}


async def test_a_folder_without_room_is_named_before_it_is_filled(
    server: Server, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 2 * MIB) as disk:
        with pytest.raises(
            BackupError, match=r"MiB free; the backup needs \d+ MiB and .* there, or"
        ):
            await server.backup(disk)
        assert names_in(disk) == []


async def test_a_relative_state_folder_is_backed_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(server.folder.parent)
    made = await Server(Path(server.folder.name)).backup(tmp_path)
    assert made.manifest.has_journal


async def test_a_server_without_a_journal_has_nothing_to_back_up(
    other: Server, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="there is nothing to back up"):
        await other.backup(tmp_path)


# --- restore -------------------------------------------------------------------------------------


async def test_everything_is_restored_and_all_digests_match(
    server: Server, other: Server, backup: Path
) -> None:
    await other.restore(backup)
    assert await other.releases() == await server.releases()
    for release in await other.releases():
        assert other.store.get(release.digest).stat().st_size == release.size
    assert names_in(other.folder) == ["bigred.db", "bigred.lock", "releases"]


async def test_nothing_that_was_in_progress_comes_back_to_life(other: Server, backup: Path) -> None:
    await other.restore(backup)
    db = await other.open()
    async with db.read() as connection:
        assert await deployments.running(connection, "shop") is None
        ended = await deployments.find(connection, "d-2")
        told = await events.of_deployment(connection, "d-2")
        [act] = await actions.of_deployment(connection, "d-2")
        [build] = await builds.of_app(connection, "shop")
        assert await armings.find(connection, "x" * 32) is None
        assert await armings.answered(connection, "office", "e-1") is None
    await db.close()
    assert ended is not None
    assert (ended.phase, act.outcome, build.stage) == (Phase.FAILED, "unknown", Stage.FAILED)
    assert "the journal was restored from the backup of " in ended.reason
    assert [one.text for one in told] == [ended.reason]


async def test_an_old_ready_release_is_not_deployed_by_itself_and_no_node_goes_back(
    other: Server, backup: Path
) -> None:
    await other.restore(backup)
    db = await other.open()
    async with db.read() as connection:
        waiting = candidate(await releases.of_app(connection, "shop"))
        assert waiting is not None
        assert waiting.version == "1.2.0"
        assert await due(connection, "shop") is None
        last = (await deployments.newest(connection, "shop"))[0]
    await db.close()
    # What is repaired between deployments is what the last one left undone.
    assert (last.who, last.phase, last.skipped, last.set_aside) == ("restore", "aborted", (), ())


async def test_a_journal_that_is_there_is_moved_aside_only_if_asked_for(
    server: Server, backup: Path
) -> None:
    db = await server.open()
    async with db.write() as connection:
        await deployments.change(connection, "d-1", reason="after the backup")
    await db.close()
    before = server.files()
    with pytest.raises(BackupError, match=r"exists and was not changed; .* with --force"):
        await server.restore(backup)
    assert server.files() == before
    done = await server.restore(backup, force=True)
    assert done.aside is not None
    with closing(sqlite3.connect(done.aside)) as old:
        assert old.execute("SELECT reason FROM deployment WHERE id = 'd-1'").fetchall() == [
            ("after the backup",)
        ]
    db = await server.open()
    async with db.read() as connection:
        record = await deployments.find(connection, "d-1")
    await db.close()
    assert record is not None
    assert record.reason == ""


async def test_nothing_is_restored_under_a_running_server(server: Server, backup: Path) -> None:
    before = server.files()
    with lock.held(server.file), pytest.raises(NotRunningError):
        await server.restore(backup, force=True)
    assert server.files() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
async def test_what_root_restores_belongs_to_the_owner_of_the_state_folder(
    other: Server, backup: Path
) -> None:
    other.folder.mkdir()
    os.chown(other.folder, 12345, 12345)
    done = await other.restore(backup)
    assert done.created == (other.store.folder,)
    for path in other.folder.rglob("*"):
        assert (path.name, path.stat().st_uid, path.stat().st_gid) == (path.name, 12345, 12345)
        assert path.stat().st_mode & 0o077 == 0


async def test_the_outermost_folder_that_restore_creates_is_named(
    backup: Path, tmp_path: Path
) -> None:
    other = Server(tmp_path / "new" / "bigred")
    assert (await other.restore(backup)).created == (tmp_path / "new",)
    assert other.folder.parent.stat().st_mode & 0o777 == 0o700
    assert (await other.restore(backup, force=True)).created == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can create folders for others")
def test_root_is_told_who_must_own_a_new_state_folder(backup: Path, tmp_path: Path) -> None:
    state, given = tmp_path / "new" / "state", tmp_path / "given"
    given.mkdir()
    os.chown(given, 12345, 12345)
    said = CliRunner().invoke(command, [str(backup), "--state", str(state)])
    assert said.exit_code == 0
    assert f"{tmp_path / 'new'} is new and belongs to root: unless the server" in said.output
    assert f"chown -R USER: {tmp_path / 'new'}\n" in said.output
    said = CliRunner().invoke(command, [str(backup), "--state", str(given)])
    assert (said.exit_code, "is new" in said.output) == (0, False)


async def with_postgresql(postgresql: Cluster, folder: Path) -> tuple[Server, Path]:
    """Return a server with its journal in PostgreSQL whose releases are lost, and a backup."""
    server = Server(folder / "server", postgresql.new_database())
    server.folder.mkdir()
    await server.fill()
    made = await server.backup(folder / "releases.tar")
    assert not made.manifest.has_journal
    shutil.rmtree(server.folder)
    return server, made.file


async def test_nothing_is_restored_while_a_server_uses_the_database(
    postgresql: Cluster, tmp_path: Path
) -> None:
    server, backup = await with_postgresql(postgresql, tmp_path)
    db = await server.open()
    lease = Lease(db, "shop", "srv1")
    assert await lease.hold()
    try:
        with pytest.raises(BackupError, match="a server uses this database; stop all servers"):
            await server.restore(backup)
        assert not server.folder.exists()
    finally:
        await lease.resign()
        await db.close()


async def test_releases_are_restored_to_a_database_and_what_was_running_there_is_ended(
    postgresql: Cluster, tmp_path: Path
) -> None:
    server, backup = await with_postgresql(postgresql, tmp_path)
    done = await server.restore(backup)
    assert done.aside is None
    assert len(await server.releases()) == len(STAGES)
    for release in await server.releases():
        assert digest_of(server.store.path(release.digest)) == release.digest
    db = await server.open()
    async with db.read() as connection:
        record = await deployments.find(connection, "d-2")
    await db.close()
    assert record is not None
    assert record.phase is Phase.FAILED


def cut(backup: Path) -> None:
    with backup.open("r+b") as file:
        file.truncate(backup.stat().st_size // 2)


def flipped(backup: Path) -> None:
    content = bytearray(backup.read_bytes())
    content[len(content) // 2] ^= 1
    backup.write_bytes(content)


def no_tar(backup: Path) -> None:
    backup.write_text("no tar")


def emptied(backup: Path) -> None:
    backup.write_bytes(b"")


def rewritten(
    change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None],
) -> Callable[[Path], None]:
    def damage(backup: Path) -> None:
        with tarfile.open(backup, "r:") as tar:
            members = [(one, tar.extractfile(one).read()) for one in tar.getmembers()]  # type: ignore[union-attr]
        change(members)
        with tarfile.open(backup, "w:") as tar:
            for info, content in members:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))

    return damage


def _manifest(**values: object) -> Callable[[Path], None]:
    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info, content = members[0]
        members[0] = info, json.dumps({**json.loads(content), **values}).encode()

    return rewritten(change)


def _extra(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members.append((tarfile.TarInfo("../../etc/cron.d/evil"), b"evil"))


def _shorten(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members.pop()


def _link(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    info = members[-1][0]
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    members[-1] = info, b""


def _escape(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    info, content = members[0]
    manifest = json.loads(content)
    manifest["files"][-1]["name"] = members[-1][0].name = "releases/../../evil.war"
    members[0] = info, json.dumps(manifest).encode()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "backup"),
        (flipped, "is damaged: its SHA-256 is"),
        (no_tar, "is not a whole backup"),
        (emptied, "backup"),
        (rewritten(lambda members: members.reverse()), "does not begin with manifest.json"),
        (rewritten(_shorten), "is missing"),
        (rewritten(_extra), "which its manifest.json does not name"),
        (rewritten(_link), "is missing"),
        (rewritten(_escape), "which no backup has"),
        (_manifest(v=2), "made by a newer Bigred"),
        (_manifest(revision="0099", bigred="9.9"), r"made by a newer Bigred \(9.9, journal 0099\)"),
        (_manifest(files="none"), "manifest.json is not readable: files"),
    ],
)
async def test_a_backup_that_is_not_whole_or_not_ours_changes_nothing(
    server: Server, other: Server, backup: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(backup)
    before = server.files()
    with pytest.raises(BackupError, match=said):
        await other.restore(backup)
    with pytest.raises(BackupError, match=said):
        await server.restore(backup, force=True)
    assert not other.folder.exists()
    assert server.files() == before


async def test_a_place_without_room_is_named_before_it_is_filled(
    backup: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 8 * MIB) as disk:
        other = Server(disk / "state")
        with pytest.raises(BackupError, match=r"MiB free; the backup needs \d+ MiB and .* there$"):
            await other.restore(backup)
        assert other.files() == {}


class KilledError(BaseException):
    """The power was cut."""


@pytest.mark.parametrize("times", range(1, 14))
async def test_a_restoration_that_is_cut_off_anywhere_leaves_the_old_or_the_new(
    server: Server, backup: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    db = await server.open()
    async with db.write() as connection:
        await deployments.change(connection, "d-1", reason="after the backup")
    await db.close()
    left = times

    def cut_off(*_given: object, **_named: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KilledError

    for name in ("link", "chown"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, _before(cut_off, original))
    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, _before(cut_off, getattr(Path, name)))
    with contextlib.suppress(KilledError):
        await server.restore(backup, force=True)
    monkeypatch.undo()
    db = await server.open()
    async with db.read() as connection:
        record = await deployments.find(connection, "d-1")
        known = await releases.of_app(connection, "shop")
        ended = await deployments.find(connection, "d-2")
    await db.close()
    assert record is not None
    assert ended is not None
    is_new = record.reason == ""
    assert is_new == (ended.phase is Phase.FAILED)
    for release in known:
        server.store.get(release.digest)
    # The next one finishes what this one has begun.
    await server.restore(backup, force=True)
    assert not list(server.folder.rglob(".bigred-restore-*"))


def _before(first: Callable[..., None], then: Callable[..., object]) -> Callable[..., object]:
    def both(*given: object, **named: object) -> object:
        first()
        return then(*given, **named)

    return both
