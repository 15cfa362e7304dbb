"""What others write about a release is plain before anything stores, shows or speaks it."""

import json
import unicodedata
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import zips

from bigred_broker.messages import AppEvent, AppEventType, AppState, Phase, decode, encode
from bigred_server.artifacts import intake
from bigred_server.artifacts.intake import Submission
from bigred_server.artifacts.store import Store
from bigred_server.artifacts.war import manifest
from bigred_server.cli.options import person
from bigred_server.errors import ReleaseError
from bigred_server.hook.messenger import Messenger
from bigred_server.journal.database import Database
from bigred_server.model.plain_text import commit_of, is_version, plain, version_of
from bigred_server.model.pushed_commit import PushedCommit
from bigred_server.model.release import Change, Release, Stage
from bigred_server.pipeline.submissions import submit_commits
from bigred_server.pipeline.webhook import Forge, pushed
from bigred_server.settings import AppSettings, MarkerSettings
from bigred_server.web.models import CommitIn

# A half of a character, two that turn the direction of writing, some without a width, controls of
# both kinds, separators, one for private use and one that Unicode does not know.
STRANGE = "\ud800\u202e\u2066\u200b\ufeff\u00ad\x00\x1b\x7f\x9b\n\r\t\u2028\ue000\U000e0001\u0378"
MARKER = MarkerSettings(path="/shop/health")


@pytest.mark.parametrize(
    "version",
    [
        "1.4.2",
        "1",
        "1.0.0-SNAPSHOT",
        "release/1.4-3-g0a1b2c3d",
        "1:2.0~rc1+build.7",
        "v..",
        "x_y@z",
    ],
)
def test_what_people_and_programs_call_a_release_is_a_version(version: str) -> None:
    assert version_of(version) == version
    assert is_version(version)


@pytest.mark.parametrize(
    "version",
    [
        *("", " ", "-1", "--help", ".", "..", "../x", "a/../b", "a//b", "a/", "/a", "a/."),
        *("1 0", "1\n", "$(reboot)", "a;b", "a|b", "a&b", "'", '"', "`x`", "a\\b", "<b>", "a?b"),
        *("a#b", "a%2e", "a*", "{a}", "größe", "1.0\u0301", "\u0661", "\u0430bc", "x" * 101),
        *(f"1{char}0" for char in STRANGE),
    ],
)
def test_what_could_mean_something_else_somewhere_is_no_version(version: str) -> None:
    assert not is_version(version)
    with pytest.raises(ReleaseError, match=r" is not a version: use 1 to 100 of A-Z") as refused:
        version_of(version)
    assert str(refused.value).isascii()
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 800


def test_a_commit_may_be_missing_but_not_strange() -> None:
    for commit in ("", "a" * 40, "r1234", "12:abc"):
        assert commit_of(commit) == commit
    for commit in ("-x", "a b", "a\u202eb", "x" * 101):
        with pytest.raises(ReleaseError, match="is not the id of a commit"):
            commit_of(commit)


@settings(max_examples=500, derandomize=True, deadline=None)
@given(st.text(st.characters(), max_size=300), st.integers(1, 50))
def test_plain_text_is_one_line_of_a_length_that_can_be_encoded(text: str, most: int) -> None:
    line = plain(text, most)
    assert len(line) <= most
    line.encode()
    assert line == line.strip()
    assert all(unicodedata.category(char)[0] != "C" for char in line)
    assert plain(line, most) == line


def test_readable_text_stays_as_it_is() -> None:
    for text in ("Ada Lovelace", "Zoë “größer” 漢字 Ελλάδα עברית \U0001f680", "a  b"):
        assert plain(text) == text


def test_whatever_the_journal_has_a_release_can_be_announced() -> None:
    changes = tuple(Change(STRANGE, STRANGE * 50, STRANGE * 50) for _ in range(20))
    old = Release("shop", "a" * 64, STRANGE, "", Stage.READY, 1.0, "c", STRANGE, STRANGE * 999)
    live = Release("shop", "b" * 64, "1", "1", Stage.LIVE, 0.5)
    note = Release(**{**vars(old), "changes": changes}).note(live)
    state = AppState(app="shop", release=note, live=note, candidate=note)
    assert decode(AppState, encode(state)) == state


# --- every way in --------------------------------------------------------------------------------


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "bigred.db")
    yield database
    await database.close()


async def test_a_submission_is_made_plain(db: Database, tmp_path: Path) -> None:
    war = zips.write_war(tmp_path / "x.war")
    strange = Change("c", f"Eve{STRANGE}", f"Fix{STRANGE}it" + "x" * 9999)
    given_ = Submission(
        "shop", war, "1.0", "c", f"{STRANGE}Ada", "m" * 9999, changes=(strange,) * 2
    )
    made, _ = await intake.submit(db, Store(tmp_path / "releases"), MARKER, given_)
    assert (made.author, made.message) == ("Ada", "m" * 2000)
    assert made.changes[0].author == "Eve"
    assert made.changes[0].message.startswith("Fix ")
    assert len(made.changes[0].message) == 2000


@pytest.mark.parametrize(("version", "commit"), [("-V", ""), ("1.0", "\u202e"), ("a/../b", "")])
async def test_a_strange_version_or_commit_is_refused_before_anything_is_copied(
    db: Database, tmp_path: Path, version: str, commit: str
) -> None:
    store = Store(tmp_path / "releases")
    submission = Submission("shop", zips.write_war(tmp_path / "x.war"), version, commit)
    with pytest.raises(ReleaseError, match="is not"):
        await intake.submit(db, store, MARKER, submission)
    assert not store.folder.exists()


@pytest.mark.parametrize("answered", ["-x", STRANGE, "1 0", "v" * 200, "../x"])
async def test_an_app_whose_answer_is_no_version_is_adopted_by_its_digest(
    db: Database, tmp_path: Path, answered: str
) -> None:
    war, store = zips.write_war(tmp_path / "x.war"), Store(tmp_path / "releases")
    if "\ud800" in answered:
        answered = answered.replace("\ud800", "")
    found = await intake.adopt(db, store, MARKER, "shop", war, answered)
    assert found.version == f"found-{found.digest[:12]}"
    assert found.marker == answered


def test_a_webhook_says_plainly_who_pushed() -> None:
    body = {"ref": "refs/heads/main", "after": "a" * 40, "user_name": f"{STRANGE}Ada{STRANGE}" * 9}
    found = pushed(Forge.GITLAB, {"x-gitlab-event": "Push Hook"}, json.dumps(body).encode())
    assert found is not None
    assert found.who.startswith("Ada ")
    assert len(found.who) <= 64
    found.who.encode()


def test_whoever_runs_a_command_has_a_plain_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "\udcffada\x1b" * 30)
    assert person().startswith("ada ")
    assert len(person()) <= 64


async def test_a_pushed_commit_is_recorded_plainly(db: Database) -> None:
    node = {"url": "http://127.0.0.1:1", "stop": ["x"], "start": ["x"], "running": ["x"]}
    app = AppSettings.model_validate(
        {
            "haproxy": {"socket": "/none", "backend": "shop"},
            "marker": {"path": "/"},
            "nodes": {"node1": {**node, "war": "/srv/shop.war"}},
            "build": {"repository": "/none", "command": ["x"], "artifact": "x"},
        }
    )
    given_ = [
        PushedCommit("main", "a" * 40, f"{STRANGE}Ada{STRANGE}" * 9),
        PushedCommit(f"other{STRANGE}", "b" * 40, "Eve"),
    ]
    (build,), _ = await submit_commits(db, "shop", app, given_)
    assert build.who.startswith("Ada ")
    assert len(build.who) <= 64
    assert plain(build.who) == build.who
    _, text = await submit_commits(db, "shop", app, given_[1:])
    assert text.isprintable()
    assert text.endswith("ignored: other")


def test_a_hook_queues_what_the_server_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"url": "http://127.0.0.1:1", "app": "shop", "token_file": "none", "spool": "spool"}
    (tmp_path / "hook.json").write_text(json.dumps(config))
    messenger = Messenger(tmp_path / "hook.json")
    monkeypatch.setattr(Messenger, "flush", lambda _self: "")
    messenger.submit([("gr\udcf6sse", "a" * 40)], "Zo\udceb")
    (queued,) = messenger.waiting()
    found = CommitIn.model_validate_json(queued.read_bytes())
    assert (found.branch, found.who) == ("gr?sse", "Zo?")


def test_a_message_with_half_a_character_is_sent_all_the_same() -> None:
    state = AppState(app="shop", who="Zo\udceb", phase=Phase.ROLLING)
    assert decode(AppState, encode(state)).who == "Zo?"
    event = AppEvent(event_type=AppEventType.PHASE, app="shop", at="", text="by Zo\udceb")
    assert decode(AppEvent, encode(event)).text == "by Zo?"


def test_a_manifest_with_strange_text_is_read(tmp_path: Path) -> None:
    war = tmp_path / "x.war"
    with zipfile.ZipFile(war, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", b"Implementation-Version: \xff\xfe\x00-1\n")
    with pytest.raises(ReleaseError, match="is not a version"):
        version_of(manifest(war)["Implementation-Version"])
