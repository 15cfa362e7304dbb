"""The pure part of a commit's way to a release: the order of builds, versions, and webhooks."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigred_server.errors import UnreadableWebhookError, WebhookError
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
from bigred_server.pipeline.webhook import Forge, json_of, pushed
from bigred_server.pipeline.webhook_signature import is_genuine
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


NOW = 1_700_000_000.0
FORM = "application/x-www-form-urlencoded"


def genuine(
    forge: Forge, secret: str, headers: Mapping[str, str], body: bytes, now: float = NOW
) -> bool:
    return is_genuine(forge, secret, headers, body, now)


def signed(forge: Forge, body: bytes = BODY, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        Forge.GITHUB: {"x-hub-signature-256": f"sha256={digest}", "x-github-event": "push"},
        Forge.GITLAB: {"x-gitlab-token": secret, "x-gitlab-event": "Push Hook"},
        Forge.GITEA: {"x-gitea-signature": digest, "x-gitea-event": "push"},
        Forge.FORGEJO: {"x-forgejo-signature": digest, "x-forgejo-event": "push"},
    }[forge]


@pytest.mark.parametrize("forge", Forge)
def test_a_webhook_is_accepted_only_with_the_right_secret(forge: Forge) -> None:
    assert genuine(forge, SECRET, signed(forge), BODY)
    assert not genuine(forge, SECRET, signed(forge, secret=OTHER), BODY)
    assert not genuine(forge, SECRET, {}, BODY)
    assert not genuine(forge, "", signed(forge, secret=""), BODY)
    if forge is not Forge.GITLAB:
        assert not genuine(forge, SECRET, signed(forge), BODY + b" ")


def test_githubs_own_example_is_accepted() -> None:
    # Source: GitHub's documentation, "Testing the webhook payload validation".
    headers = {
        "x-hub-signature-256": "sha256="
        "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    }
    assert genuine(Forge.GITHUB, "It's a Secret to Everybody", headers, b"Hello, World!")


def test_forgejo_may_sign_as_gitea_does_but_not_wrongly_under_its_own_name() -> None:
    as_gitea = signed(Forge.GITEA)
    assert genuine(Forge.FORGEJO, SECRET, as_gitea, BODY)
    assert pushed(Forge.FORGEJO, as_gitea, BODY) == PushedCommit("main", COMMIT, "Ada")
    wrong = {**as_gitea, "x-forgejo-signature": "0" * 64}
    assert not genuine(Forge.FORGEJO, SECRET, wrong, BODY)


# --- forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=utf-8", FORM.upper()])
@pytest.mark.parametrize("forge", [Forge.GITHUB, Forge.GITEA, Forge.FORGEJO])
def test_a_form_holds_the_same_push(forge: Forge, kind: str) -> None:
    body = urlencode({"payload": BODY.decode()}).encode()
    # GitHub signs the form, Gitea and Forgejo sign the JSON in it.
    headers = {**signed(forge, body if forge is Forge.GITHUB else BODY), "content-type": kind}
    assert genuine(forge, SECRET, headers, body)
    assert not genuine(forge, OTHER, headers, body)
    assert not genuine(forge, SECRET, headers, body.replace(b"main", b"evil"))
    assert pushed(forge, headers, body) == PushedCommit("main", COMMIT, "Ada")


@given(text=st.text())
def test_a_form_gives_back_every_text(text: str) -> None:
    body = f"payload={quote_plus(text)}".encode()
    assert json_of({"content-type": FORM}, body) == (text.encode() or body)


@pytest.mark.parametrize("body", [b"", b"a=b", b"\xff", b"&" * 99, b"payload", b"payload=%ff"])
def test_a_form_without_a_push_is_refused(body: bytes) -> None:
    headers = {**signed(Forge.GITHUB, body), "content-type": FORM}
    assert genuine(Forge.GITHUB, SECRET, headers, body)
    with pytest.raises(UnreadableWebhookError, match="the body is not JSON"):
        pushed(Forge.GITHUB, headers, body)


def test_json_that_is_said_to_be_a_form_is_read_all_the_same() -> None:
    # As curl sends it, unless it is told otherwise.
    headers = {**signed(Forge.GITHUB), "content-type": FORM}
    assert pushed(Forge.GITHUB, headers, BODY) == PushedCommit("main", COMMIT, "Ada")


# --- GitLab --------------------------------------------------------------------------------------

SIGNING = "whsec_" + base64.b64encode(b"a key of thirty-two bytes, all 32").decode()


def standard(secret: str, sent_at: str = "1700000000", version: str = "v1") -> dict[str, str]:
    """Sign as Standard Webhooks 1.0 says."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"m-1.{sent_at}.".encode() + BODY, hashlib.sha256).digest()
    signature = f"{version},{base64.b64encode(digest).decode()}"
    return {"webhook-id": "m-1", "webhook-timestamp": sent_at, "webhook-signature": signature}


def test_the_example_of_standard_webhooks_is_accepted() -> None:
    # Source: the specification's own test vector.
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    assert genuine(Forge.GITLAB, secret, headers, body, 1_614_265_330.0)


def test_gitlabs_signing_token_signs_each_message_for_some_minutes() -> None:
    headers = standard(SIGNING)
    assert genuine(Forge.GITLAB, SIGNING, headers, BODY)
    for now, well in ((NOW + 290, True), (NOW - 290, True), (NOW + 310, False), (NOW - 310, False)):
        assert genuine(Forge.GITLAB, SIGNING, headers, BODY, now) is well
    assert not genuine(Forge.GITLAB, SIGNING, headers, BODY + b" ")
    assert not genuine(Forge.GITLAB, SIGNING, {**headers, "webhook-id": "m-2"}, BODY)
    assert not genuine(Forge.GITLAB, SIGNING, standard(SIGNING, version="v1a"), BODY)
    # While a secret is changed there are two signatures.
    both = {**headers, "webhook-signature": f"v1,b2xk {headers['webhook-signature']}"}
    assert genuine(Forge.GITLAB, SIGNING, both, BODY)


@pytest.mark.parametrize("left_out", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("given", [None, "", "x", "\udcff"])
def test_an_incomplete_standard_signature_is_refused(left_out: str, given: str | None) -> None:
    headers = standard(SIGNING)
    del headers[left_out]
    headers |= {left_out: given} if given is not None else {}
    assert not genuine(Forge.GITLAB, SIGNING, headers, BODY)


@pytest.mark.parametrize("secret", ["s3cret", "whsec_", "whsec_%%%"])
def test_a_secret_that_is_no_signing_token_signs_nothing(secret: str) -> None:
    headers = {**standard("whsec_"), "webhook-signature": "v1,"}
    assert not genuine(Forge.GITLAB, secret, headers, BODY)


@pytest.mark.parametrize(
    "event",
    [
        {"event_name": "project_create", "name": "shop"},
        {"event_name": "repository_update", "changes": [{"after": COMMIT}], "refs": ["x"]},
        {"object_kind": "merge_request", "object_attributes": {}},
        {"event_name": "tag_push", "ref": "refs/tags/v1", "after": COMMIT},
        {"event_name": "user_add_to_team"},
    ],
)
def test_gitlabs_system_hooks_that_are_no_push_are_ignored(event: dict[str, object]) -> None:
    headers = {"x-gitlab-event": "System Hook"}
    assert pushed(Forge.GITLAB, headers, json.dumps(event).encode()) is None


def test_gitlabs_system_hook_of_a_push_is_one() -> None:
    event = {"object_kind": "push", "event_name": "push", **json.loads(BODY)}
    found = pushed(Forge.GITLAB, {"x-gitlab-event": "System Hook"}, json.dumps(event).encode())
    assert found == PushedCommit("main", COMMIT, "Ada")


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
    "body",
    [
        b"[]",
        b"{}",
        b'"push"',
        b'{"ref": "refs/heads/main", "after": "--upload-pack=x"}',
        b'{"ref": ["refs/heads/main"], "after": "0123456789"}',
    ],
)
def test_a_body_that_is_not_a_push_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookError):
        pushed(Forge.GITHUB, signed(Forge.GITHUB), body)


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000, b"{'ref': 1}"]
)
def test_a_body_that_is_not_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableWebhookError, match="the body is not JSON"):
        pushed(Forge.GITHUB, signed(Forge.GITHUB), body)
