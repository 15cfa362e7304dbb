"""The HTTP API: permissions, answers, and refusals of one sentence each."""

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any  # JSON

import httpx2
import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from tests.support import tokens

from bigred_broker.messages import AppState, NodeNote, NodeState, Phase
from bigred_server.artifacts.store import Store
from bigred_server.journal import actions, api_tokens, deployments, events, releases, tables
from bigred_server.journal.database import Database
from bigred_server.model import receipt_link
from bigred_server.model.action_record import Outcome
from bigred_server.model.api_token import Role, digest
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage
from bigred_server.settings import Settings
from bigred_server.web import api
from bigred_server.web.auth import MAX_BODY

OLD, LIVE, NEW, BAD = "1" * 64, "2" * 64, "3" * 64, "4" * 64
ROLES = ("viewer", "operator", "admin")
V1 = "/api/v1"
COMMIT = "0123456789" * 4
PUSHED = {"branch": "main", "commit": COMMIT, "who": "ada"}
SECRET = "of-the-webhook"  # noqa: S105
LINK_SECRET = "of-the-links"  # noqa: S105

# Every route: the least role that may use it, and its status on the site below.
ROUTES = [
    ("GET", f"{V1}/apps", None, "viewer", 200),
    ("GET", f"{V1}/apps/shop", None, "viewer", 200),
    ("GET", f"{V1}/apps/shop/releases", None, "viewer", 200),
    ("GET", f"{V1}/apps/shop/deployments", None, "viewer", 200),
    ("GET", f"{V1}/deployments/d-1", None, "viewer", 200),
    ("GET", f"{V1}/openapi.json", None, "viewer", 200),
    ("POST", f"{V1}/apps/shop/deployments", {"version": "1.2.0"}, "operator", 202),
    ("POST", f"{V1}/apps/shop/commands", {"command": "rollback"}, "operator", 202),
    ("POST", f"{V1}/apps/shop/releases/1.3.0/clear", None, "admin", 200),
    ("POST", f"{V1}/apps/shop/releases/1.3.0/promote", None, "operator", 409),
    ("POST", f"{V1}/apps/shop/releases/1.3.0/reject", None, "operator", 409),
    ("GET", f"{V1}/apps/shop/builds", None, "viewer", 200),
    ("POST", f"{V1}/apps/shop/commits", {"commits": [PUSHED]}, "operator", 202),
]
# These are signed instead of carrying a token.
SIGNED = ("POST", f"{V1}/apps/{{app}}/webhooks/{{forge}}")


def settings(secrets: str = "/none") -> Settings:
    command = ["true"]
    node = {"url": "http://127.0.0.1:1", "stop": command, "start": command, "running": command}
    build = {
        "repository": "/none",
        "command": command,
        "artifact": "shop.war",
        "webhook_secret_file": secrets,
    }
    app = {"haproxy": {"socket": "/none", "backend": "shop"}, "marker": {"path": "/"}}
    return Settings.model_validate(
        {
            "server": {"state": "/none"},
            "apps": {
                name: {**app, "nodes": {"node1": {**node, "war": f"/srv/{name}.war"}}, **more}
                for name, more in (("shop", {"build": build}), ("blog", {}))
            },
        }
    )


STATE = AppState(
    app="shop",
    phase=Phase.SUCCEEDED,
    nodes=(NodeNote(name="node1", state=NodeState.SERVING, release="1.1.0"),),
)


@dataclass
class Api:
    """The API of a site with four releases and one deployment that has ended."""

    db: Database
    store: Store
    http: httpx2.AsyncClient
    woken: list[str]
    states: dict[str, AppState]

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        role: str | None = "admin",
        **more: Any,
    ) -> httpx2.Response:
        headers = {"Authorization": f"Bearer secret-{role}"} if role else {}
        if body is not None:
            more["json"] = body
        return await self.http.request(method, path, headers=headers, **more)

    async def get(self, path: str) -> Any:
        answer = await self.ask("GET", f"{V1}{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: object = None, status: int = 202) -> Any:
        answer = await self.ask("POST", f"{V1}{path}", body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def runs(self, phase: Phase = Phase.ROLLING, **more: object) -> None:
        begun = DeploymentRecord("d-2", "shop", NEW, LIVE, "office", 5.0, phase=phase)
        record = replace(begun, **more)  # type: ignore[arg-type]
        async with self.db.write() as connection:
            await deployments.add(connection, record)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Api]:
    database = await Database.open(tmp_path / "bigred.db")
    store = Store(tmp_path / "releases")
    store.folder.mkdir()
    stages = [(OLD, Stage.RETIRED), (LIVE, Stage.LIVE), (NEW, Stage.READY), (BAD, Stage.BAD)]
    async with database.write() as connection:
        for number, (digest, stage) in enumerate(stages):
            version = f"1.{number}.0"
            release = Release("shop", digest, version, version, stage, float(number), author="Ada")
            await releases.add(connection, release)
            store.path(digest).touch()
        ended = DeploymentRecord(
            "d-1", "shop", LIVE, OLD, "ada", 1.0, 0.0, Phase.SUCCEEDED, nodes=("node1",),
            ended_at=2.5, receipt={"requests": 7},
        )  # fmt: skip
        await deployments.add(connection, ended)
        await events.add(connection, "d-1", 1.5, "phase", "1.1.0 is live on 1 nodes")
        action = await actions.begin(connection, "d-1", "node1", "swap", LIVE, 1.2)
        await actions.end(connection, action, Outcome.DONE, "swapped", 1.3)
        await connection.execute(update(tables.secret).values(value=LINK_SECRET))
    for role in Role:
        await tokens.add(database, f"secret-{role}", role)
    woken: list[str] = []
    states = {"shop": STATE}
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    app = api.build(
        settings(str(tmp_path / "secret")), database, store, woken.append, states.get, {}
    )
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://bigred") as http:
        yield Api(database, store, http, woken, states)
    await database.close()


# --- permissions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "route"), list(itertools.product([None, "stranger", *ROLES], ROUTES))
)
async def test_each_role_may_use_exactly_its_routes(
    site: Api, role: str | None, route: tuple[str, str, object, str, int]
) -> None:
    method, path, body, least, status = route
    answer = await site.ask(method, path, body, role)
    if role not in ROLES:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "Authorization: Bearer TOKEN" in answer.json()["error"]
    elif ROLES.index(role) < ROLES.index(least):
        assert answer.status_code == 403
        needs = f"the token {role} has the role {role}; this needs {least}"
        assert answer.json() == {"error": needs}
    else:
        assert answer.status_code == status, answer.text
        return
    assert site.woken == []
    async with site.db.read() as connection:
        assert await deployments.running(connection, "shop") is None


def test_the_table_of_routes_is_complete() -> None:
    app = api.build(settings(), None, None, print, lambda _: None, {})  # type: ignore[arg-type]
    described = {
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    tested = {
        (method, path.replace("shop", "{app}").replace("d-1", "{deployment}"))
        for method, path, *_ in ROUTES
    }
    tested = {(method, path.replace("1.3.0", "{version}")) for method, path in tested}
    assert tested - {("GET", f"{V1}/openapi.json")} == described - {SIGNED}


@pytest.mark.parametrize(
    ("header", "caller"),
    [
        ("Bearer secret-viewer", "viewer"),
        ("bearer  secret-operator ", "operator"),
        ("Bearer secret-viewe", None),
        ("Bearer " + digest("secret-viewer"), None),
        ("Bearer ", None),
        ("Bearer", None),
        ("", None),
        ("Basic secret-viewer", None),
        ("Bearer s\u00e9cret-viewer", None),
        ("Bearer secret-viewer,secret-admin", None),
    ],
)
async def test_only_a_whole_token_names_its_owner(
    site: Api, header: str, caller: str | None
) -> None:
    headers = {b"Authorization": header.encode("latin-1")}
    command = {"command": "hold"}
    answer = await site.http.post(f"{V1}/apps/shop/commands", json=command, headers=headers)
    assert answer.status_code == {None: 401, "viewer": 403, "operator": 409}[caller]


async def test_an_expired_token_is_refused_with_what_to_do(site: Api) -> None:
    await tokens.add(site.db, "secret-old", Role.ADMIN, "ada", expires_at=time.time() - 1)
    await tokens.add(site.db, "secret-new", Role.ADMIN, "ada", expires_at=time.time() + 60)
    answer = await site.ask("GET", f"{V1}/apps", role="old")
    assert answer.status_code == 401
    assert answer.json()["error"].startswith("this token of ada expired at 20")
    assert answer.json()["error"].endswith("; `bigred token create` creates another")
    assert (await site.ask("GET", f"{V1}/apps", role="new")).status_code == 200


async def test_a_revoked_token_is_refused_from_the_next_request_on(site: Api) -> None:
    token = await tokens.add(site.db, "secret-lost", Role.ADMIN, "ada")
    assert (await site.ask("GET", f"{V1}/apps", role="lost")).status_code == 200
    async with site.db.write() as db:
        await api_tokens.revoke(db, token.id, 7.0, "linus")
        await api_tokens.revoke(db, token.id, 8.0, "mallory")
    answer = await site.ask("GET", f"{V1}/apps", role="lost")
    assert answer.status_code == 401
    assert answer.json()["error"].startswith("this token of ada was revoked;")
    async with site.db.read() as db:
        [known] = [one for one in await api_tokens.every(db) if one.id == token.id]
    assert (known.revoked_at, known.revoked_by) == (7.0, "linus")


async def test_the_last_use_of_a_token_is_recorded_once_a_minute(site: Api) -> None:
    used = await _used(site, "viewer")
    assert used is None
    for _ in range(3):
        await site.ask("GET", f"{V1}/apps", role="viewer")
    used = await _used(site, "viewer")
    assert used is not None
    assert 0 <= time.time() - used < 60
    assert await _used(site, "admin") is None
    async with site.db.write() as db:
        await db.execute(update(tables.api_token).values(used_at=None))
    await site.ask("GET", f"{V1}/apps", role="viewer")
    assert await _used(site, "viewer") is None, "it was recorded a moment ago"


async def _used(site: Api, name: str) -> float | None:
    async with site.db.read() as db:
        return next(one.used_at for one in await api_tokens.every(db) if one.name == name)


async def test_the_health_check_needs_no_token(site: Api) -> None:
    answer = await site.ask("GET", "/healthz", role=None)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/healthz/", "//healthz", "/docs", "/openapi.json", "/nope"])
async def test_a_stranger_cannot_learn_which_routes_exist(site: Api, path: str) -> None:
    assert (await site.ask("GET", path, role=None)).status_code == 401


# --- submitting ----------------------------------------------------------------------------------


async def test_a_push_is_submitted_once_and_the_app_is_woken(site: Api) -> None:
    found = await site.post("/apps/shop/commits", {"commits": [PUSHED]})
    assert found["text"] == f"{COMMIT[:12]} submitted as shop build 1"
    again = await site.post("/apps/shop/commits", {"commits": [PUSHED]})
    assert again["text"] == f"{COMMIT[:12]} was already submitted as shop build 1 (submitted)"
    assert [one["id"] for one in found["builds"]] == [one["id"] for one in again["builds"]]
    (build,) = await site.get("/apps/shop/builds")
    assert (build["number"], build["stage"], build["who"]) == (1, "submitted", "ada")
    assert site.woken == ["shop", "shop"]


async def test_pushes_to_other_branches_are_ignored_with_a_reason(site: Api) -> None:
    other = {"commits": [{**PUSHED, "branch": "feature"}]}
    found = await site.post("/apps/shop/commits", other)
    assert found == {"builds": [], "text": "shop is built from main; ignored: feature"}


async def test_an_app_without_a_build_accepts_no_commits(site: Api) -> None:
    found = await site.post("/apps/blog/commits", {"commits": [PUSHED]}, status=409)
    assert "blog has no build configured: add [apps.blog.build]" in found["error"]


@pytest.mark.parametrize(
    "wrong", [{"commit": "--upload-pack=sh"}, {"commit": ""}, {"branch": ""}, {"more": 1}]
)
async def test_an_invalid_commit_is_refused(site: Api, wrong: dict[str, object]) -> None:
    await site.post("/apps/shop/commits", {"commits": [{**PUSHED, **wrong}]}, status=422)


async def test_a_webhook_needs_a_signature_and_no_token(site: Api) -> None:
    body = json.dumps({"ref": "refs/heads/main", "after": COMMIT, "pusher": {"name": "ada"}})
    signed = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
    path = f"{V1}/apps/shop/webhooks/github"
    for signature, status in (("sha256=" + signed, 202), ("sha256=" + "0" * 64, 401), ("", 401)):
        headers = {"x-hub-signature-256": signature, "x-github-event": "push"}
        answer = await site.http.post(path, content=body, headers=headers)
        assert answer.status_code == status, answer.text
    (build,) = await site.get("/apps/shop/builds")
    assert build["who"] == "ada"
    answer = await site.http.post(f"{V1}/apps/blog/webhooks/github", content=body, headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"[" * 100_000, 400, "the body is not JSON"),
        (b"not json", 400, "the body is not JSON"),
        (b"[]", 422, "not a push event of github"),
        (b'{"ref": "refs/heads/\\ud800\\u0000", "after": "0123456789"}', 202, "ignored: "),
    ],
)
async def test_any_signed_body_has_an_answer(
    site: Api, body: bytes, status: int, says: str
) -> None:
    signed = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": f"sha256={signed}", "x-github-event": "push"}
    path = f"{V1}/apps/shop/webhooks/github"
    answer = await site.http.post(path, content=body, headers=headers)
    assert (answer.status_code, says in answer.text) == (status, True), answer.text


async def test_deeply_nested_json_is_refused_by_every_route(site: Api) -> None:
    headers = {"Authorization": "Bearer secret-admin", "content-type": "application/json"}
    for method, path, _, _, _ in ROUTES:
        if method == "POST":
            answer = await site.http.post(path, content=b"[" * 16_000, headers=headers)
            assert answer.status_code < 500, (path, answer.text)


async def test_only_a_tested_release_is_promoted_or_rejected(site: Api) -> None:
    async with site.db.write() as connection:
        await releases.set_stage(connection, "shop", NEW, Stage.TESTED)
    found = await site.post("/apps/shop/releases/1.2.0/promote", status=200)
    assert found["stage"] == "ready"
    found = await site.post("/apps/shop/releases/1.2.0/reject", status=409)
    assert found["error"] == "shop 1.2.0 is ready, not tested: it can't be rejected"
    async with site.db.write() as connection:
        await releases.set_stage(connection, "shop", NEW, Stage.TESTED)
    found = await site.post("/apps/shop/releases/1.2.0/reject", status=200)
    assert found["stage"] == "failed"


# --- pages ---------------------------------------------------------------------------------------


def page_of(deployment: str) -> str:
    """Return the link that a notice about a deployment has."""
    return receipt_link.link("http://bigred", LINK_SECRET, deployment)


async def test_the_link_of_a_notice_opens_a_page_without_a_token(site: Api) -> None:
    await site.runs(reason="<script>alert(1)</script> & more", who="ada <a@example.com>")
    answer = await site.http.get(page_of("d-2"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>shop 1.2.0: rolling</h1>" in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in answer.text
    assert "ada &lt;a@example.com&gt;" in answer.text
    assert 'http-equiv="refresh"' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert (await site.http.head(page_of("d-2"))).status_code == 200


@pytest.mark.parametrize(
    "link",
    [
        "/deployments/d-1",
        "/deployments/d-1?key=",
        "/deployments/d-1?key=" + "0" * 32,
        "/deployments/d-1?key=%ff",
        page_of("d-2").replace("d-2", "d-1"),
        page_of("d-9"),
        receipt_link.link("http://bigred", "another secret", "d-1"),
    ],
)
async def test_any_other_link_opens_nothing_and_says_no_more(site: Api, link: str) -> None:
    answer = await site.http.get(link)
    assert answer.status_code == 404
    assert "This link is not valid" in answer.text
    assert "shop" not in answer.text
    assert (await site.http.post(link)).status_code == 401


# --- queries -------------------------------------------------------------------------------------


async def test_the_state_of_an_app_is_returned_as_published(site: Api) -> None:
    assert await site.get("/apps") == {"apps": ["shop", "blog"]}
    assert await site.get("/apps/shop") == json.loads(STATE.model_dump_json(exclude_none=True))


async def test_if_this_server_sees_no_nodes_the_rest_comes_from_the_journal(
    site: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(site.states, "shop")
    found = await site.get("/apps/shop")
    assert (found["phase"], found["deployment"], found["nodes"]) == ("succeeded", "d-1", [])
    assert (found["live"]["version"], found["candidate"]["version"]) == ("1.1.0", "1.2.0")
    assert "progress" not in found
    assert (await site.get("/apps/blog"))["app"] == "blog"


async def test_releases_are_listed_the_newest_first_with_whether_they_are_kept(site: Api) -> None:
    site.store.path(OLD).unlink()
    found = await site.get("/apps/shop/releases")
    assert [(r["version"], r["stage"], r["kept"]) for r in found] == [
        ("1.3.0", "bad", True),
        ("1.2.0", "ready", True),
        ("1.1.0", "live", True),
        ("1.0.0", "retired", False),
    ]
    assert found[0]["submitted_at"] == "1970-01-01T00:00:03.000+00:00"
    assert len(await site.get("/apps/shop/releases?limit=2")) == 2


async def test_repairs_are_listed_only_on_request(site: Api) -> None:
    await site.runs(mends="node1")
    assert [d["id"] for d in await site.get("/apps/shop/deployments")] == ["d-1"]
    found = await site.get("/apps/shop/deployments?mends=true")
    assert [(d["id"], d["version"], d["mends"]) for d in found] == [
        ("d-2", "1.2.0", "node1"),
        ("d-1", "1.1.0", None),
    ]


async def test_a_deployment_is_returned_with_its_events_actions_and_receipt(site: Api) -> None:
    found = await site.get("/deployments/d-1")
    assert (found["version"], found["who"], found["phase"]) == ("1.1.0", "ada", "succeeded")
    assert found["ended_at"] == "1970-01-01T00:00:02.500+00:00"
    assert [event["text"] for event in found["events"]] == ["1.1.0 is live on 1 nodes"]
    [action] = found["acts"]
    assert (action["node"], action["kind"], action["outcome"]) == ("node1", "swap", "done")
    assert found["receipt"] == {"requests": 7}


# --- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "version"), [(None, "1.2.0"), ({}, "1.2.0"), ({"version": "1.0.0"}, "1.0.0")]
)
async def test_a_deployment_names_the_tokens_owner(site: Api, body: object, version: str) -> None:
    begun = await site.post("/apps/shop/deployments", body)
    assert (begun["version"], begun["who"], begun["phase"]) == (version, "admin", "preparing")
    assert site.woken == ["shop"]
    assert (await site.get(f"/deployments/{begun['id']}"))["ended_at"] is None


async def test_a_command_names_the_tokens_owner(site: Api) -> None:
    await site.runs()
    given = await site.post("/apps/shop/commands", {"command": "hold"})
    assert given["id"] == "d-2"
    found = await site.get("/deployments/d-2")
    assert (found["command"], found["commanded_by"]) == ("hold", "admin")
    assert found["events"][0]["text"].startswith("admin asked to hold it")
    assert site.woken == ["shop"]


async def test_a_rollback_of_a_running_deployment_starts_no_other(site: Api) -> None:
    await site.runs()
    assert (await site.post("/apps/shop/commands", {"command": "rollback"}))["id"] == "d-2"
    assert (await site.get("/deployments/d-2"))["command"] == Command.ROLLBACK


async def test_a_rollback_without_a_running_deployment_starts_one(site: Api) -> None:
    begun = await site.post("/apps/shop/commands", {"command": "rollback"})
    assert (begun["version"], begun["takes_back"]) == ("1.0.0", LIVE)


async def test_a_bad_release_is_cleared(site: Api) -> None:
    cleared = await site.post("/apps/shop/releases/1.3.0/clear", status=200)
    assert (cleared["version"], cleared["stage"]) == ("1.3.0", "ready")
    assert site.woken == ["shop"]


async def test_a_version_with_a_slash_can_be_named(site: Api) -> None:
    async with site.db.write() as connection:
        await releases.add(connection, Release("shop", "5" * 64, "2.0/rc", "", Stage.BAD, 9.0))
    cleared = await site.post("/apps/shop/releases/2.0%2Frc/clear", status=200)
    assert cleared["version"] == "2.0/rc"


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("GET", "/apps/shpo", None, 404, "no app 'shpo'; available: shop, blog"),
        ("GET", "/deployments/d-9", None, 404, "no deployment 'd-9'"),
        ("GET", "/nope", None, 404, "GET /api/v1/nope: not found"),
        ("DELETE", "/apps", None, 405, "DELETE /api/v1/apps: method not allowed"),
        (
            "POST",
            "/apps/shop/deployments",
            {"version": "9"},
            404,
            "no release 9 of shop; ",
        ),
        ("POST", "/apps/shop/deployments", {"version": "1.1.0"}, 409, "1.1.0 is already live"),
        ("POST", "/apps/shop/deployments", {"version": "1.3.0"}, 409, "release clear 1.3.0"),
        ("POST", "/apps/shop/deployments", {"verison": "1"}, 422, "body.verison: Extra inputs"),
        ("POST", "/apps/shop/deployments", {"version": ""}, 422, "body.version: "),
        ("POST", "/apps/shop/commands", {"command": "hold"}, 409, "no deployment of shop is runn"),
        ("POST", "/apps/shop/commands", {"command": "stop"}, 422, "body.command: Input should be"),
        ("POST", "/apps/shop/commands", [], 422, "body: "),
        ("POST", "/apps/shop/commands", None, 422, "body: Field required"),
        (
            "POST",
            "/apps/shop/releases/9/clear",
            None,
            404,
            "no release 9 of shop; available: 1.3",
        ),
        ("POST", "/apps/shop/releases/1.2.0/clear", None, 409, "1.2.0 is ready, not bad"),
        ("GET", "/apps/shop/releases?limit=0", None, 422, "query.limit: "),
        ("GET", "/apps/shop/deployments?mends=perhaps", None, 422, "query.mends: "),
    ],
)
async def test_every_refusal_is_one_sentence(
    site: Api, method: str, path: str, body: object, status: int, sentence: str
) -> None:
    answer = await site.ask(method, f"{V1}{path}", body)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    assert sentence in answer.json()["error"]
    assert site.woken == []


async def test_an_impossible_command_is_a_conflict(site: Api) -> None:
    await site.runs(Phase.ROLLING_BACK)
    answer = await site.ask("POST", f"{V1}/apps/shop/commands", {"command": "hold"})
    assert answer.status_code == 409
    assert "deployment d-2 of shop can't be held: it is being rolled" in answer.json()["error"]


async def test_a_body_that_is_not_json_is_reported(site: Api) -> None:
    answer = await site.http.post(
        f"{V1}/apps/shop/commands",
        content=b"{",
        headers={"Authorization": "Bearer secret-admin", "Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("the body is not valid JSON: ")


async def chunks(total: int) -> AsyncIterator[bytes]:
    for _ in range(total // 1024):
        yield b" " * 1024


@pytest.mark.parametrize("with_length", [True, False], ids=["with its length", "in chunks"])
async def test_an_oversized_body_is_not_read(site: Api, with_length: bool) -> None:
    content = b" " * (MAX_BODY + 1) if with_length else chunks(2 * MAX_BODY)
    answer = await site.http.post(
        f"{V1}/apps/shop/commands",
        content=content,
        headers={"Authorization": "Bearer secret-admin", "Content-Type": "application/json"},
    )
    assert answer.status_code == 413
    assert answer.json() == {"error": f"the body exceeds the limit of {MAX_BODY} bytes"}


async def test_an_unusable_journal_is_reported_without_its_secrets(
    site: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_given: object) -> None:
        raise OperationalError("SELECT secret", {}, OSError("disk full"))

    monkeypatch.setattr(releases, "of_app", fail)
    answer = await site.ask("GET", f"{V1}/apps/shop/releases")
    assert answer.status_code == 503
    assert answer.json() == {"error": "the journal is unavailable; try again in a moment"}


async def test_an_unforeseen_error_reveals_nothing_internal(
    site: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_given: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(releases, "of_app", fail)
    answer = await site.ask("GET", f"{V1}/apps/shop/releases")
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error; see the server's log"}


async def test_of_two_who_deploy_at_once_one_learns_who_was_first(site: Api) -> None:
    answers = await asyncio.gather(
        *(site.ask("POST", f"{V1}/apps/shop/deployments", {}, role) for role in ROLES[1:])
    )
    assert sorted(answer.status_code for answer in answers) == [202, 409]


async def test_pages_of_other_sites_get_nothing(site: Api) -> None:
    answer = await site.http.get("/healthz", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", f"{V1}/apps/shop/deployments", "GET, POST"),
        ("PUT", f"{V1}/apps/shop/commits", "POST"),
        ("HEAD", f"{V1}/apps", "GET"),
        ("POST", "/deployments/d-1", "GET, HEAD"),
        ("TRACE", "/healthz", "GET"),
        ("GET", f"{V1}/apps/shop/webhooks/github", "POST"),
    ],
)
async def test_a_wrong_method_is_answered_with_all_right_ones(
    site: Api, method: str, path: str, allowed: str
) -> None:
    answer = await site.ask(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/apps/shop/releases/%1B%5B31m%0A/clear", None),
        ("/%1B%5B31m", None),
        ("/apps/shop/commands", {"command": "hold", "\x1b[31m\u202e": 1}),
    ],
)
async def test_no_refusal_repeats_control_characters(site: Api, path: str, body: object) -> None:
    answer = await site.ask("POST", f"{V1}{path}", body)
    assert answer.status_code in (404, 422)
    assert answer.json()["error"].isprintable()


def test_every_answer_of_a_connection_itself_is_documented() -> None:
    app = api.build(settings(), None, None, print, lambda _: None, {})  # type: ignore[arg-type]
    for methods in app.openapi()["paths"].values():
        for operation in methods.values():
            assert {"400", "405", "408", "413", "431", "501", "503"} <= set(operation["responses"])
