"""How a running app proves its release: presets, and markers that change between releases."""

from dataclasses import replace

import pytest
from pydantic import TypeAdapter, ValidationError

from bigred_server.model.marker import MarkerOrPreset, MarkerSettings
from bigred_server.model.release import Release, Stage
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST
from bigred_server.tomcat.question import Question, questions

OLD, NEW = MarkerSettings(path="/old"), MarkerSettings(path="/new", expects="commit")
A = Release("shop", "a" * 64, "1.0", "1.0", Stage.LIVE, 1.0, commit="c1", proof=OLD)
B = Release("shop", "b" * 64, "1.1", "c2", Stage.READY, 2.0, commit="c2", proof=NEW)


def marker(text: object) -> MarkerSettings:
    return TypeAdapter[MarkerSettings](MarkerOrPreset).validate_python(text)


# --- presets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "context", "path", "place"),
    [
        (
            "spring",
            "/shop",
            "/shop/actuator/info",
            "/build/version in the JSON of /shop/actuator/info",
        ),
        ("spring", "", "/actuator/info", "/build/version in the JSON of /actuator/info"),
        (
            "manifest",
            "/a/b",
            "/a/b/",
            "Implementation-Version in META-INF/MANIFEST.MF of the WAR",
        ),
        ("header", "", "/", "the header X-Release of /"),
        ("header:X-App-Version", "/shop", "/shop/", "the header X-App-Version of /shop/"),
    ],
)
def test_a_preset_is_a_whole_marker(written: str, context: str, path: str, place: str) -> None:
    found = marker(written).at(context)
    assert (found.path, found.place) == (path, place)


def test_the_first_page_of_an_app_may_send_its_users_on() -> None:
    assert {200, 302} <= set(marker("manifest").statuses)
    assert 404 not in marker("manifest").statuses
    assert marker("spring").statuses == (200,)


@pytest.mark.parametrize("written", ["sprnig", "", "header:", "header:two words", "/shop/health"])
def test_a_preset_that_does_not_exist_is_refused_in_words(written: str) -> None:
    with pytest.raises(ValidationError, match="write one of 'spring', 'manifest', 'header', "):
        marker(written)


def test_a_path_may_begin_with_the_context_and_with_nothing_else_but_a_slash() -> None:
    own = marker({"path": "{context}/manage/info", "read": "json", "pointer": "/build/version"})
    assert own.at("/shop").path == "/shop/manage/info"
    with pytest.raises(ValidationError, match="path"):
        marker({"path": "{contxt}/info"})


def test_several_statuses_may_be_right() -> None:
    assert marker({"path": "/", "status": [200, 401]}).statuses == (200, 401)
    assert marker({"path": "/", "status": 204}).statuses == (204,)
    for wrong in ([], [20], 600):
        with pytest.raises(ValidationError, match="status"):
            marker({"path": "/", "status": wrong})


# --- what is asked -------------------------------------------------------------------------------


def test_a_release_is_asked_as_it_was_recorded_and_then_as_configured_now() -> None:
    assert questions(NEW, [B, A], A.digest) == [
        Question(OLD, {"1.0": "1.0"}),
        Question(NEW, {"c1": "1.0"}),
    ]


def test_a_release_that_is_recorded_as_configured_now_is_asked_once() -> None:
    assert questions(NEW, [B, A], B.digest) == [Question(NEW, {"c2": "c2"})]


def test_a_release_from_before_proofs_were_recorded_is_asked_as_configured_now() -> None:
    assert questions(OLD, [replace(A, proof=None)], A.digest) == [Question(OLD, {"1.0": "1.0"})]


def test_a_release_without_a_commit_is_not_asked_for_one() -> None:
    assert questions(NEW, [replace(A, commit="")], A.digest) == [Question(OLD, {"1.0": "1.0"})]


@pytest.mark.parametrize("digest", [None, UNKNOWN_DIGEST])
def test_a_war_that_cannot_be_read_may_be_any_release(digest: str | None) -> None:
    assert questions(NEW, [B, A], digest) == [
        Question(NEW, {"c2": "c2", "c1": "1.0"}),
        Question(OLD, {"1.0": "1.0"}),
    ]


@pytest.mark.parametrize("digest", ["", "f" * 64])
def test_a_war_that_nobody_submitted_is_asked_as_configured_now(digest: str) -> None:
    assert questions(NEW, [B, A], digest) == [Question(NEW)]


def test_what_is_wanted_names_status_release_and_place() -> None:
    found = questions(OLD, [A], A.digest)[0]
    assert found.wanted == "status 200 and release '1.0' in the header X-Release of /old"
    assert questions(NEW, [B, A], None)[0].wanted == ""
