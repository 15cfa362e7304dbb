"""A WAR is submitted: accepted or refused, stored, and found again."""

import os
import shutil
import stat
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bigred_server.artifacts import intake
from bigred_server.artifacts.files import digest_of
from bigred_server.artifacts.intake import Submission
from bigred_server.artifacts.store import Store
from bigred_server.errors import ReleaseError
from bigred_server.journal import releases
from bigred_server.journal.database import Database
from bigred_server.model.release import Release, Stage
from bigred_server.settings import MarkerSettings

HEADER = MarkerSettings(path="/shop/health")
MANIFEST = MarkerSettings.model_validate(
    {"path": "/", "read": "manifest", "name": "Implementation-Version"}
)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "bigred.db")
    yield database
    await database.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "releases")


def make_war(path: Path, version: str = "1.0.0") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", f"Implementation-Version: {version}\n")
        archive.writestr("WEB-INF/web.xml", "<web-app/>")
    return path


async def known(db: Database, app: str = "shop") -> list[Release]:
    async with db.read() as connection:
        return await releases.of_app(connection, app)


# --- the store -----------------------------------------------------------------------------------


def test_a_release_is_kept_under_its_digest_and_is_read_only(store: Store, tmp_path: Path) -> None:
    source = make_war(tmp_path / "x.war")
    digest = store.put(source)
    assert digest == digest_of(source)
    kept = store.get(digest)
    assert kept.read_bytes() == source.read_bytes()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o400
    assert store.size(digest) == source.stat().st_size
    assert [path.name for path in store.folder.iterdir()] == [f"{digest}.war"]


def test_a_release_may_be_stored_again(store: Store, tmp_path: Path) -> None:
    source = make_war(tmp_path / "x.war")
    assert store.put(source) == store.put(source)


def test_a_release_that_changed_on_disk_is_not_returned(store: Store, tmp_path: Path) -> None:
    digest = store.put(make_war(tmp_path / "x.war"))
    store.path(digest).chmod(0o644)
    store.path(digest).write_bytes(b"changed")
    with pytest.raises(ReleaseError, match=r"has changed .*: submit it again"):
        store.get(digest)
    store.put(tmp_path / "x.war")
    store.get(digest)


def test_a_missing_release_is_reported(store: Store) -> None:
    with pytest.raises(ReleaseError, match="is missing: submit the release again"):
        store.get("a" * 64)
    store.forget("a" * 64)


def test_a_disk_without_space_is_reported_before_it_is_filled(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_war(tmp_path / "x.war")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=64 << 20))
    with pytest.raises(ReleaseError, match=r"has 64 MiB free; x\.war needs 1 MiB and 64 MiB"):
        store.put(source)
    assert list(store.folder.iterdir()) == []


def test_a_disk_that_fails_in_the_middle_leaves_nothing_and_is_reported(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ReleaseError, match=r"x\.war could not be stored .*No space left"):
        store.put(make_war(tmp_path / "x.war"))
    assert list(store.folder.iterdir()) == []


def test_a_missing_war_is_reported(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"x\.war could not be stored"):
        store.put(tmp_path / "x.war")


# --- the intake ----------------------------------------------------------------------------------


async def test_a_war_becomes_a_ready_release(db: Database, store: Store, tmp_path: Path) -> None:
    source = make_war(tmp_path / "x.war")
    given = Submission("shop", source, "1.0.0", "abc123", "Ada", "Faster checkout")
    made, is_new = await intake.submit(db, store, HEADER, given)
    assert is_new
    assert made == (await known(db))[0]
    assert (made.stage, made.marker, made.digest) == (Stage.READY, "1.0.0", digest_of(source))
    assert (made.commit, made.author, made.message) == ("abc123", "Ada", "Faster checkout")
    assert store.get(made.digest).exists()


async def test_submitting_the_same_again_is_no_error_and_adds_nothing(
    db: Database, store: Store, tmp_path: Path
) -> None:
    given = Submission("shop", make_war(tmp_path / "x.war"), "1.0.0")
    first, _ = await intake.submit(db, store, HEADER, given)
    again, is_new = await intake.submit(db, store, HEADER, given)
    assert (again, is_new) == (first, False)
    assert len(await known(db)) == 1
    assert store.get(first.digest)


async def refused(db: Database, store: Store, given: Submission, words: str) -> None:
    before = await known(db, given.app), sorted(store.folder.glob("*"))
    with pytest.raises(ReleaseError, match=words):
        await intake.submit(db, store, HEADER, given)
    assert (await known(db, given.app), sorted(store.folder.glob("*"))) == before


async def test_a_version_never_gets_other_bytes(db: Database, store: Store, tmp_path: Path) -> None:
    await intake.submit(
        db, store, HEADER, Submission("shop", make_war(tmp_path / "x.war"), "1.0.0")
    )
    other = make_war(tmp_path / "y.war", "other")
    await refused(db, store, Submission("shop", other, "1.0.0"), r"shop 1\.0\.0 exists with other")


async def test_bytes_have_one_version(db: Database, store: Store, tmp_path: Path) -> None:
    given = Submission("shop", make_war(tmp_path / "x.war"), "1.0.0")
    await intake.submit(db, store, HEADER, given)
    again = Submission("shop", given.war, "1.1.0")
    await refused(db, store, again, r"this WAR is already shop 1\.0\.0")


async def test_a_file_that_is_not_a_war_is_refused(
    db: Database, store: Store, tmp_path: Path
) -> None:
    text = tmp_path / "text.war"
    text.write_text("hello")
    await refused(db, store, Submission("shop", text, "1.0.0"), "not a WAR, can't read it as a zip")
    gone = Submission("shop", tmp_path / "gone.war", "1.0.0")
    await refused(db, store, gone, "no such file")
    damaged = make_war(tmp_path / "damaged.war")
    data = bytearray(damaged.read_bytes())
    data[data.index(b"1.0.0")] ^= 0xFF
    damaged.write_bytes(data)
    await refused(db, store, Submission("shop", damaged, "1.0.0"), "not a valid WAR, META-INF")


@pytest.mark.parametrize("version", ["", "1\n2", "x" * 1000, "\x07"])
async def test_an_invalid_version_is_refused(
    db: Database, store: Store, tmp_path: Path, version: str
) -> None:
    given = Submission("shop", make_war(tmp_path / "x.war"), version)
    await refused(db, store, given, "is not a version")


async def test_two_apps_may_have_the_same_war(db: Database, store: Store, tmp_path: Path) -> None:
    source = make_war(tmp_path / "x.war")
    made, _ = await intake.submit(db, store, HEADER, Submission("shop", source, "1.0.0"))
    other, is_new = await intake.submit(db, store, HEADER, Submission("blog", source, "7"))
    assert (other.digest, is_new) == (made.digest, True)


async def test_a_war_refused_by_one_app_is_kept_for_another(
    db: Database, store: Store, tmp_path: Path
) -> None:
    source = make_war(tmp_path / "x.war", "1.0.0")
    made, _ = await intake.submit(db, store, HEADER, Submission("shop", source, "1.0.0"))
    with pytest.raises(ReleaseError):
        await intake.submit(db, store, MANIFEST, Submission("blog", source, "7"))
    assert store.get(made.digest)


# --- the marker ----------------------------------------------------------------------------------


def expecting(what: str) -> MarkerSettings:
    return MarkerSettings.model_validate({"path": "/", "expects": what})


@pytest.mark.parametrize(
    ("expects", "marker"), [("version", "1.0.0"), ("commit", "abc"), ("digest", "d" * 64)]
)
def test_the_expected_answer_is_that_of_the_settings(expects: str, marker: str) -> None:
    said = intake.expected_marker(expecting(expects), "1.0.0", "abc", "d" * 64, Path("x.war"))
    assert said == marker


async def test_a_release_is_recorded_with_its_marker(
    db: Database, store: Store, tmp_path: Path
) -> None:
    made, _ = await intake.submit(
        db, store, HEADER, Submission("shop", make_war(tmp_path / "x.war"), "1.0.0")
    )
    adopted = await intake.adopt(
        db, store, MANIFEST, "shop", make_war(tmp_path / "y.war", "0.9"), "0.9"
    )
    proofs = {release.digest: release.proof for release in await known(db)}
    assert proofs == {made.digest: HEADER, adopted.digest: MANIFEST}


def test_an_expected_commit_must_be_given() -> None:
    with pytest.raises(ReleaseError, match="the running app is recognised by its commit: give one"):
        intake.expected_marker(expecting("commit"), "1.0.0", "", "d" * 64, Path("x.war"))


async def test_a_war_whose_manifest_says_another_release_is_refused(
    db: Database, store: Store, tmp_path: Path
) -> None:
    source = make_war(tmp_path / "x.war", "1.0.0")
    with pytest.raises(
        ReleaseError, match=r"Implementation-Version in its manifest is '1\.0\.0', not '1\.1\.0'"
    ):
        await intake.submit(db, store, MANIFEST, Submission("shop", source, "1.1.0"))
    assert (await known(db), list(store.folder.iterdir())) == ([], [])
    await intake.submit(db, store, MANIFEST, Submission("shop", source, "1.0.0"))


# --- adoption ------------------------------------------------------------------------------------


async def test_what_was_live_before_is_adopted_as_live(
    db: Database, store: Store, tmp_path: Path
) -> None:
    source = make_war(tmp_path / "old.war")
    found = await intake.adopt(db, store, HEADER, "shop", source, "0.9")
    assert (found.version, found.marker, found.stage) == ("0.9", "0.9", Stage.LIVE)
    assert store.get(found.digest)


async def test_a_waiting_release_stays_newer_than_an_adopted_one(
    db: Database, store: Store, tmp_path: Path
) -> None:
    given = Submission("shop", make_war(tmp_path / "new.war", "1.1.0"), "1.1.0")
    waiting, _ = await intake.submit(db, store, HEADER, given)
    found = await intake.adopt(db, store, HEADER, "shop", make_war(tmp_path / "old.war"), "1.0.0")
    assert found.submitted_at < waiting.submitted_at


@pytest.mark.parametrize(("said", "expects"), [("", "version"), ("abc123", "commit")])
async def test_a_release_without_a_version_gets_one(
    db: Database, store: Store, tmp_path: Path, said: str, expects: str
) -> None:
    source = make_war(tmp_path / "old.war")
    found = await intake.adopt(db, store, expecting(expects), "shop", source, said)
    assert (found.version, found.marker) == (f"found-{found.digest[:12]}", said)


async def test_a_release_whose_version_is_taken_gets_another(
    db: Database, store: Store, tmp_path: Path
) -> None:
    given = Submission("shop", make_war(tmp_path / "new.war", "1.1.0"), "1.0.0")
    await intake.submit(db, store, HEADER, given)
    found = await intake.adopt(db, store, HEADER, "shop", make_war(tmp_path / "old.war"), "1.0.0")
    assert (found.version, found.marker) == (f"1.0.0-{found.digest[:12]}", "1.0.0")


async def test_a_submitted_release_that_is_found_running_becomes_live(
    db: Database, store: Store, tmp_path: Path
) -> None:
    source = make_war(tmp_path / "x.war")
    made, _ = await intake.submit(db, store, HEADER, Submission("shop", source, "1.0.0"))
    await intake.adopt(db, store, HEADER, "shop", source, "1.0.0")
    assert [(r.digest, r.stage) for r in await known(db)] == [(made.digest, Stage.LIVE)]
