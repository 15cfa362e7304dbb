"""The pure part of a commit's way to a release: the order of builds, versions, and webhooks."""

import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigred_server.errors import WebhookError
from bigred_server.hook.messenger import pushed_commits
from bigred_server.model.build import (
    UNDER_WAY,
    WAITING,
    Build,
    build_text,
    free_version,
    is_commit,
    next_of,
    superseded,
)
from bigred_server.model.pushed_commit import PushedCommit
from bigred_server.model.release import Stage
from bigred_server.pipeline.webhook import Forge, is_genuine, pushed
from bigred_server.settings.build import BuildSettings

COMMIT = "0123456789abcdef" * 2 + "01234567"
BUILD = Build("b-1", 7, "shop", COMMIT, "main", "ada", 1000.0, author="Ada")

builds = st.lists(st.sampled_from(list(Stage)), max_size=8).map(
    lambda stages: [
        replace(BUILD, id=f"b-{n}", number=n, stage=stage) for n, stage in enumerate(stages)
    ]
)


# --- the order of builds -------------------------------------------------------------------------


@given(known=builds)
def test_an_interrupted_build_continues_and_then_the_newest_is_next(known: list[Build]) -> None:
    chosen = next_of(known)
    under_way = [one for one in known if one.stage in UNDER_WAY]
    waiting = [one for one in known if one.stage in WAITING]
    if under_way:
        assert chosen == under_way[0]
    elif waiting:
        assert chosen == waiting[-1]
    else:
        assert chosen is None


@given(known=builds)
def test_only_waiting_builds_with_a_newer_waiting_one_are_superseded(known: list[Build]) -> None:
    waiting = [one for one in known if one.stage in WAITING]
    assert superseded(known) == waiting[:-1]


@pytest.mark.parametrize(
    ("taken", "version"),
    [([], "1.4.2"), (["1.4.2"], "1.4.2.2"), (["1.4.2", "1.4.2.2", "1.4.3"], "1.4.2.3")],
)
def test_no_two_releases_have_one_version(taken: list[str], version: str) -> None:
    assert free_version("1.4.2", taken) == version


@pytest.mark.parametrize(
    ("text", "is_one"),
    [(COMMIT, True), ("abc1234", True), ("abc123", False), ("--output=x", False), ("HEAD", False)],
)
def test_a_commit_is_named_only_by_its_id(text: str, is_one: bool) -> None:
    assert is_commit(text) is is_one


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "build 7 of 0123456789ab by Ada is submitted"),
        ({"stage": Stage.BUILDING}, "build 7 of 0123456789ab by Ada is building"),
        ({"stage": Stage.TESTING, "test": "unit"}, "is being tested: unit"),
        ({"stage": Stage.READY, "version": "1.4.2"}, "is ready as 1.4.2"),
        ({"stage": Stage.TESTED, "version": "1.4.2"}, "1.4.2 and waits to be promoted"),
        ({"stage": Stage.FAILED, "reason": "exit 1"}, "failed: exit 1"),
        ({"stage": Stage.SUPERSEDED, "reason": "a newer one"}, "is superseded: a newer one"),
    ],
)
def test_a_builds_state_is_a_sentence(changes: dict[str, object], says: str) -> None:
    assert says in build_text(replace(BUILD, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told_so", "why"),
    [
        ({"artifact": "/etc/passwd"}, "must be a path inside the checkout"),
        ({"artifact": "../x.war"}, "must be a path inside the checkout"),
        ({"artifact": "**.war"}, "must stand alone between slashes"),
        ({"repository": "--upload-pack=sh"}, "can't begin with '-'"),
        ({"environment": {"A-B": "x"}}, "environment"),
    ],
)
def test_a_contradictory_build_is_refused(told_so: dict[str, object], why: str) -> None:
    well = {"repository": "/srv/x", "command": ["make"], "artifact": "**/*.war"}
    assert BuildSettings.model_validate(well).on_branch == "main"
    assert BuildSettings.model_validate({**well, "vcs": "hg"}).on_branch == "default"
    with pytest.raises(ValueError, match=why):
        BuildSettings.model_validate({**well, **told_so})


# --- git's input to its hook ---------------------------------------------------------------------


def test_new_commits_of_branches_are_submitted_and_nothing_else() -> None:
    zero = "0" * 40
    lines = [
        f"{zero} {COMMIT} refs/heads/main\n",
        f"{COMMIT} {zero} refs/heads/gone\n",
        f"{zero} {COMMIT} refs/tags/v1\n",
        f"{zero} {COMMIT} refs/heads/feature/a b\n",
    ]
    assert pushed_commits(lines) == [("main", COMMIT), ("feature/a b", COMMIT)]


# --- webhooks ------------------------------------------------------------------------------------

SECRET, OTHER = "s3cret", "wrong"
BODY = json.dumps(
    {
        "ref": "refs/heads/main",
        "before": "0" * 40,
        "after": COMMIT,
        "pusher": {"name": "ada", "email": "ada@example.org"},
        "user_name": "Ada",
    }
).encode()


def signed(forge: Forge, body: bytes = BODY, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        Forge.GITHUB: {"x-hub-signature-256": f"sha256={digest}", "x-github-event": "push"},
        Forge.GITLAB: {"x-gitlab-token": secret, "x-gitlab-event": "Push Hook"},
        Forge.GITEA: {"x-gitea-signature": digest, "x-gitea-event": "push"},
    }[forge]


@pytest.mark.parametrize("forge", Forge)
def test_a_webhook_is_accepted_only_with_the_right_secret(forge: Forge) -> None:
    assert is_genuine(forge, SECRET, signed(forge), BODY)
    assert not is_genuine(forge, SECRET, signed(forge, secret=OTHER), BODY)
    assert not is_genuine(forge, SECRET, {}, BODY)
    assert not is_genuine(forge, "", signed(forge, secret=""), BODY)
    if forge is not Forge.GITLAB:
        assert not is_genuine(forge, SECRET, signed(forge), BODY + b" ")


def test_githubs_own_example_is_accepted() -> None:
    # Source: GitHub's documentation, "Testing the webhook payload validation".
    headers = {
        "x-hub-signature-256": "sha256="
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    }
    assert is_genuine(Forge.GITHUB, "It's a Secret to Everybody", headers, b"Hello, World!")


@pytest.mark.parametrize("forge", Forge)
def test_a_push_names_its_branch_its_newest_commit_and_who_pushed(forge: Forge) -> None:
    assert pushed(forge, signed(forge), BODY) == PushedCommit("main", COMMIT, "Ada")
    theirs = json.loads(BODY)
    del theirs["user_name"]
    found = pushed(forge, signed(forge), json.dumps(theirs).encode())
    assert found == PushedCommit("main", COMMIT, "ada")


@pytest.mark.parametrize(
    "told_so",
    [
        {"ref": "refs/tags/v1", "after": COMMIT},
        {"ref": "refs/heads/main", "after": "0" * 40},
    ],
)
def test_a_tag_and_a_deleted_branch_are_no_push(told_so: dict[str, str]) -> None:
    body = json.dumps(told_so).encode()
    assert pushed(Forge.GITEA, signed(Forge.GITEA), body) is None
    assert pushed(Forge.GITHUB, {"x-github-event": "ping"}, b"{}") is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"ref": "refs/heads/main", "after": "--upload-pack=x"}', b"\xff"]
)
def test_a_body_that_is_not_a_push_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookError):
        pushed(Forge.GITHUB, signed(Forge.GITHUB), body)
