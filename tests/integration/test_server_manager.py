"""Tomcat's Manager: the requests to it, what its answers mean, and how a node uses them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs

import httpx2
import pytest
from tests.support.hosts import FakeHost

from bigred_server.errors import NodeAwayError, NodeError
from bigred_server.rollout.core.context_version import name
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Version
from bigred_server.rollout.core.target import Strategy
from bigred_server.testing.tomcat import FakeTomcat
from bigred_server.testing.tomcat_manager import FakeManager
from bigred_server.tomcat import manager, manager_text, probe
from bigred_server.tomcat.contexts import Contexts
from bigred_server.tomcat.manager import Manager
from bigred_server.tomcat.manager_call import ManagerCall
from bigred_server.tomcat.node import Node

OLD, NEW = "a" * 64, "b" * 64
FIRST, SECOND = name(1, OLD), name(2, NEW)
SECRET = "secret"  # noqa: S105
FOREIGN = "pass:wörd"


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "_BUSY_PAUSE_S", 0.01)


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with probe.client() as client:
        yield client


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    return file


@pytest.fixture
def war(tmp_path: Path) -> Path:
    file = tmp_path / "shop.war"
    file.write_bytes(b"x" * 1_000_000)
    return file


Reach = Callable[[FakeTomcat], contextlib.AbstractAsyncContextManager[Manager]]


@pytest.fixture
def reach(http: httpx2.AsyncClient, password: Path) -> Reach:
    """Return a function that serves a fake Tomcat and yields the Manager that calls it."""

    @contextlib.asynccontextmanager
    async def reached(tomcat: FakeTomcat) -> AsyncIterator[Manager]:
        async with tomcat.listen() as url, asyncio.timeout(10):
            yield Manager(ManagerCall(http, f"{url}/manager", "bigred", password), "/shop")

    return reached


def tomcat(**settings: object) -> FakeTomcat:
    return FakeTomcat(manager=FakeManager(**settings))  # type: ignore[arg-type]


async def failure(action: Awaitable[object]) -> str:
    with pytest.raises(NodeError) as caught:
        await action
    return str(caught.value)


# --- its answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["OK - Deployed application at context path [/shop]"], ""),
        (["OK"], ""),
        ([], "nothing"),
        (["FEHLER - Ausnahme aufgetreten [x]"], "FEHLER - Ausnahme aufgetreten [x]"),
        (["Fehler - Das Verzeichnis"], "Fehler - Das Verzeichnis"),
        (["FAIL - is already being serviced", "OK - Deployed"], "FAIL - is already being serviced"),
        (["OK - Undeployed application", "FAIL - Failed"], "FAIL - Failed"),
        (["FAIL - No context exists named [&#47;shop]"], "FAIL - No context exists named [/shop]"),
        (["<!doctype html>"], "<!doctype html>"),
    ],
)
def test_a_line_that_is_not_ok_is_a_failure(lines: list[str], found: str) -> None:
    assert manager_text.complaint(lines) == found


def test_a_list_is_read_in_the_order_that_tomcat_prefers() -> None:
    lines = [
        f"/shop:stopped:0:/var/lib/tomcat10/webapps/shop##{SECOND}",
        f"/shop:running:3:shop##{FIRST}.war",
        "/shop:running:12:shop",
        "/shopping:running:1:shopping",
        "/shop/admin:running:1:shop#admin##7.war",
        "/:running:1:ROOT.war",
        "/manager:running:0:/usr/share/tomcat10-admin/manager",
    ]
    assert manager_text.versions(lines, "/shop") == (
        Version("", UNKNOWN_DIGEST, sessions=12),
        Version(FIRST, OLD, sessions=3),
        Version(SECOND, NEW, running=False),
    )
    assert manager_text.versions(lines, "") == (Version("", sessions=1),)
    assert manager_text.versions(lines, "/shop/admin") == (Version("7", sessions=1),)
    assert manager_text.versions(lines, "/nothing") == ()


@pytest.mark.parametrize(
    ("place", "version"),
    [
        (r"C:\apps\shop##7.war", "7"),
        ("/srv/x##1/shop.war", ""),
        ("/srv/x##1/shop##2.1", "2.1"),
        ("shop##", ""),
    ],
)
def test_the_version_is_read_from_the_last_part_of_a_path(place: str, version: str) -> None:
    assert manager_text.versions([f"/shop:running:0:{place}"], "/shop") == (Version(version),)


def test_a_line_without_a_context_is_ignored() -> None:
    assert manager_text.versions(["/shop:running", "/shop:running:many:shop"], "/shop") == (
        Version(""),
    )


# --- requests ------------------------------------------------------------------------------------


async def test_requests_are_in_english_with_a_password_and_escaped(reach: Reach, war: Path) -> None:
    fake = tomcat()
    async with reach(fake) as found:
        await Manager(found.call, "/a b&c=d#é").deploy(war, "7&8", 5)
    path, _, query = fake.asked[-1].partition("?")
    assert path == "/manager/text/deploy"
    assert parse_qs(query) == {"path": ["/a b&c=d#é"], "version": ["7&8"]}
    assert not set(" #é") & set(query)
    assert all(head["accept-language"] == "en" for head in fake.heads)
    assert all(head["authorization"].startswith("Basic ") for head in fake.heads)


async def test_a_war_is_sent_completely_with_its_length(reach: Reach, war: Path) -> None:
    fake = tomcat()
    assert fake.manager
    async with reach(fake) as found:
        assert await found.deploy(war, "", 5) == "OK - Deployed application at context path [/shop]"
    assert fake.manager.uploaded == [1_000_000]
    assert fake.heads[-1]["content-length"] == "1000000"
    assert fake.heads[-1]["transfer-encoding"] is None


async def test_a_missing_war_is_named(reach: Reach, tmp_path: Path) -> None:
    async with reach(tomcat()) as found:
        said = await failure(found.deploy(tmp_path / "gone.war", "", 5))
    assert said == f"{tmp_path}/gone.war can't be read: No such file or directory"


async def test_the_root_context_is_a_slash(reach: Reach, war: Path) -> None:
    fake = tomcat()
    async with reach(fake) as found:
        root = Manager(found.call, "")
        await root.deploy(war, "", 5)
        assert await root.versions() == (Version(""),)
    assert "/manager/text/deploy?path=%2F&update=true" in fake.asked


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        (401, "give the user 'bigred' the password in "),
        (403, "allow this server's address in manager/META-INF/context.xml (RemoteCIDRValve)"),
        (404, "no Manager there; install it (Debian: tomcat10-admin, or the one of your version)"),
        (302, "it redirects to https://elsewhere/, where the password is not sent"),
        (503, "that is not a Manager's answer; see Tomcat's log"),
    ],
)
async def test_each_status_has_its_fix(reach: Reach, status: int, fix: str) -> None:
    async with reach(tomcat(status=status, location="https://elsewhere/")) as found:
        said = await failure(found.versions())
        assert said.startswith(f"{found.call.url}/text/list answers {status}: {fix}")
        assert SECRET not in said


async def test_a_wrong_password_is_found_before_a_byte_is_sent(
    reach: Reach, war: Path, password: Path
) -> None:
    fake = tomcat()
    await asyncio.to_thread(password.write_text, "other")
    async with reach(fake) as found:
        assert "answers 401" in await failure(found.deploy(war, "", 5))
    assert fake.asked == ["/manager/text/list"]


async def test_a_password_may_have_the_characters_that_tomcat_reads(
    reach: Reach, password: Path
) -> None:
    await asyncio.to_thread(password.write_text, FOREIGN, encoding="utf-8")
    async with reach(tomcat(password=FOREIGN)) as found:
        assert await found.versions() == ()
    await asyncio.to_thread(password.write_text, "пароль", encoding="utf-8")
    async with reach(tomcat()) as found:
        assert "only have characters of Latin-1" in await failure(found.versions())


@pytest.mark.parametrize("text", [FOREIGN, "пароль"])
async def test_a_tomcat_that_reads_utf_8_is_recognised_once(
    reach: Reach, password: Path, text: str
) -> None:
    await asyncio.to_thread(password.write_text, text, encoding="utf-8")
    fake = tomcat(password=text, encoding="utf-8")
    async with reach(fake) as found:
        for _ in range(3):
            assert await found.versions() == ()
    assert len(fake.asked) == 3 + (text == FOREIGN)


async def test_an_unreadable_password_is_reported(reach: Reach, password: Path) -> None:
    await asyncio.to_thread(password.unlink)
    async with reach(tomcat()) as found:
        said = await failure(found.versions())
    assert said.startswith("the Manager's password can't be read: ")
    assert str(password) in said


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "FAIL - Encountered exception [no room]"),
        ("de", "FEHLER - Ausnahme aufgetreten [no room]"),
        ("es", "FALLO - Encontrada excepción [no room]"),
    ],
)
async def test_a_failure_is_recognised_in_every_language(
    reach: Reach, war: Path, language: str, line: str
) -> None:
    async with reach(tomcat(language=language, breaks="no room")) as found:
        said = await failure(found.deploy(war, "", 5))
    assert said.endswith(f"/manager/text/deploy answers: {line}")


# --- unknown outcomes ----------------------------------------------------------------------------


async def test_no_answer_is_neither_success_nor_failure(reach: Reach, war: Path) -> None:
    fake = tomcat(hangs=frozenset({"deploy"}))
    async with reach(fake) as found:
        with pytest.raises(
            NodeAwayError, match=r"did not answer within 0\.\d+ s; it may still take effect"
        ):
            await found.deploy(war, "", 0.3)
        assert await found.versions() == (Version(""),)


async def test_a_slow_answer_ends_at_the_deadline(reach: Reach) -> None:
    fake = tomcat()
    fake.drip_s = 0.05
    async with reach(fake) as found:
        with pytest.raises(NodeAwayError, match="may still take effect"):
            await found.versions(0.3)


async def test_a_connection_that_breaks_off_gives_no_outcome(reach: Reach) -> None:
    fake = tomcat()
    fake.closes = True
    async with reach(fake) as found:
        with pytest.raises(NodeAwayError, match=r"was cut off: .*; it may still take effect"):
            await found.versions()


async def test_a_busy_tomcat_is_awaited(reach: Reach, war: Path) -> None:
    fake = tomcat(busy=2, contexts={"/shop": True})
    async with reach(fake) as found:
        assert (await found.deploy(war, "", 5)).startswith("OK - Deployed")
    assert [path.partition("?")[0] for path in fake.asked].count("/manager/text/deploy") == 3


async def test_a_tomcat_that_stays_busy_is_given_up_at_the_deadline(
    reach: Reach, war: Path
) -> None:
    async with reach(tomcat(busy=1000, contexts={"/shop": True})) as found:
        said = await failure(found.undeploy("", 1.2))
    assert "is already being serviced, still after 1.2 s; check what keeps Tomcat busy" in said


# --- versions ------------------------------------------------------------------------------------


async def test_a_running_version_is_not_sent_again(reach: Reach, war: Path) -> None:
    fake = tomcat(contexts={f"/shop##{FIRST}": True})
    async with reach(fake) as found:
        assert await found.deploy(war, FIRST, 5) == f"/shop##{FIRST} is already deployed"
    assert fake.asked == ["/manager/text/list"]


async def test_a_stopped_version_is_started(reach: Reach, war: Path) -> None:
    fake = tomcat(contexts={f"/shop##{FIRST}": False})
    async with reach(fake) as found:
        assert (await found.deploy(war, FIRST, 5)).startswith("OK - Started")
        assert await found.versions() == (Version(FIRST, OLD),)
    assert fake.manager
    assert not fake.manager.uploaded


async def test_a_version_that_cannot_be_started_is_deployed_again(reach: Reach, war: Path) -> None:
    fake = tomcat(contexts={f"/shop##{FIRST}": False}, starts=False)
    async with reach(fake) as found:
        assert "context failed to start" in await failure(found.deploy(war, FIRST, 5))
        assert await found.versions() == ()
    asked = [path.partition("?")[0].rpartition("/")[2] for path in fake.asked]
    assert [each for each in asked if each != "list"] == ["start", "undeploy", "deploy", "undeploy"]


async def test_a_new_version_never_replaces_an_existing_one(reach: Reach, war: Path) -> None:
    fake = tomcat(contexts={f"/shop##{FIRST}": True})
    async with reach(fake) as found:
        await found.deploy(war, SECOND, 5)
        assert len(await found.versions()) == 2
    assert not any("update" in path for path in fake.asked)


async def test_a_version_that_does_not_start_is_undeployed(reach: Reach, war: Path) -> None:
    fake = tomcat(contexts={f"/shop##{FIRST}": True}, starts=False)
    async with reach(fake) as found:
        assert "context failed to start" in await failure(found.deploy(war, SECOND, 5))
        assert await found.versions() == (Version(FIRST, OLD),)


async def test_an_app_that_does_not_start_stays_for_inspection(reach: Reach, war: Path) -> None:
    async with reach(tomcat(contexts={"/shop": True}, starts=False)) as found:
        assert "context failed to start" in await failure(found.deploy(war, "", 5))
        assert await found.versions() == (Version("", running=False),)


async def test_undeploying_a_missing_version_does_nothing(reach: Reach) -> None:
    fake = tomcat(contexts={"/shop": True})
    async with reach(fake) as found:
        assert await found.undeploy(FIRST, 5) == f"/shop##{FIRST} is not deployed"
        assert await found.undeploy("", 5) == "OK - Undeployed application at context path [/shop]"
        assert await found.undeploy("", 5) == "/shop is not deployed"


async def test_only_the_apps_own_leaks_are_counted(reach: Reach) -> None:
    async with reach(tomcat(leaks=("/shop", f"/shop##{FIRST}", "/shopping", "/"))) as found:
        assert await found.leaks(5) == 2
        assert await Manager(found.call, "").leaks(5) == 1


async def test_the_start_of_the_jvm_is_reported(reach: Reach) -> None:
    async with reach(tomcat(started_at_ms=1_700_000_000_500)) as found:
        assert await found.started_at() == 1_700_000_000.5


# --- a node --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contexts", "digest"),
    [
        ({}, ""),
        ({"/shop": True}, UNKNOWN_DIGEST),
        ({"/shop": False}, UNKNOWN_DIGEST),
        ({"/shop": True, f"/shop##{FIRST}": True}, OLD),
    ],
)
async def test_over_http_alone_a_digest_is_mostly_unknown(
    reach: Reach, contexts: dict[str, bool], digest: str
) -> None:
    async with reach(tomcat(contexts=contexts, sessions=3)) as found:
        seen = await Node(None, found, Strategy.REDEPLOY).look(answers=True)
    assert (seen.digest, seen.running, seen.kept, seen.problem) == (digest, True, None, "")
    assert sum(one.sessions for one in seen.versions or ()) == 3 * sum(contexts.values())


@pytest.mark.parametrize(
    ("contexts", "digest"),
    [
        ({}, ""),
        ({"/shop": True}, OLD),
        ({"/shop": False}, ""),
        ({"/shop": True, f"/shop##{SECOND}": True}, NEW),
        ({"/shop": True, f"/shop##{SECOND}": False}, OLD),
        ({"/shop": True, "/shop##zebra": True}, UNKNOWN_DIGEST),
    ],
)
async def test_with_parallel_versions_the_digest_is_that_of_the_newest_running_one(
    reach: Reach, contexts: dict[str, bool], digest: str
) -> None:
    async with reach(tomcat(contexts=contexts)) as found:
        seen = await Node(FakeHost(OLD), found, Strategy.PARALLEL).look(answers=True)
    assert seen.digest == digest
    assert bool(seen.manifest) == (digest in (OLD, ""))


@pytest.mark.parametrize(("running", "digest"), [(False, ""), (True, None), (None, None)])
async def test_with_parallel_versions_a_stopped_tomcat_has_none_and_can_be_started(
    reach: Reach, running: bool | None, digest: str | None
) -> None:
    async with reach(tomcat()) as found:
        pass
    seen = await Node(FakeHost(OLD, running), found, Strategy.PARALLEL).look(answers=False)
    assert (seen.digest, seen.versions) == (digest, None)


@pytest.mark.parametrize("strategy", [Strategy.RESTART, Strategy.REDEPLOY])
async def test_a_host_reads_the_digest_and_the_manager_counts_sessions(
    reach: Reach, strategy: Strategy
) -> None:
    async with reach(tomcat(contexts={"/shop": True}, sessions=7)) as found:
        seen = await Node(FakeHost(OLD), found, strategy).look(answers=True)
    assert (seen.digest, seen.versions) == (OLD, (Version("", sessions=7),))


async def test_the_deployed_digest_is_remembered_while_it_runs(reach: Reach, war: Path) -> None:
    fake = tomcat(contexts={"/shop": True})
    assert fake.manager
    async with reach(fake) as found:
        node = Node(None, found, Strategy.REDEPLOY)
        assert (await node.deploy(war, NEW, "", 5)).endswith("[/shop]")
        assert (await node.look(answers=True)).digest == NEW
        other = Node(None, found, Strategy.REDEPLOY)
        assert (await other.look(answers=True)).digest == UNKNOWN_DIGEST
        fake.manager.breaks = "no room"
        await failure(node.deploy(war, OLD, "", 5))
        assert (await node.look(answers=True)).digest == UNKNOWN_DIGEST


async def test_a_version_once_seen_stopped_is_not_remembered(
    reach: Reach, war: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigred_server.tomcat.contexts._CACHE_S", 0)
    fake = tomcat()
    assert fake.manager
    async with reach(fake) as found:
        node = Node(None, found, Strategy.REDEPLOY)
        await node.deploy(war, NEW, "", 5)
        fake.manager.contexts["/shop"] = False
        assert (await node.look(answers=False)).digest == UNKNOWN_DIGEST
        fake.manager.contexts["/shop"] = True
        assert (await node.look(answers=True)).digest == UNKNOWN_DIGEST


async def test_an_outdated_list_is_discarded(reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bigred_server.tomcat.contexts._CACHE_S", 60)
    fake = tomcat(contexts={"/shop": True})
    assert fake.manager
    async with reach(fake) as found:
        node = Node(FakeHost(OLD), found, Strategy.RESTART)
        assert (await node.look(answers=True)).versions == (Version(""),)
        fake.manager.sessions = 1
        assert (await node.look(answers=True)).versions == (Version(""),)
        node.forget()
        assert (await node.look(answers=True)).versions == (Version("", sessions=1),)


async def test_the_list_is_requested_once_a_second_and_after_each_action(
    reach: Reach, war: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bigred_server.tomcat.contexts._CACHE_S", 60)
    fake = tomcat()
    async with reach(fake) as found:
        node = Node(None, found, Strategy.PARALLEL)
        for _ in range(3):
            await node.look(answers=True)
        assert fake.asked == ["/manager/text/list"]
        await node.deploy(war, OLD, FIRST, 5)
        assert (await node.look(answers=True)).digest == OLD


async def test_a_list_requested_before_an_action_ended_is_not_kept(reach: Reach) -> None:
    fake = tomcat()
    assert fake.manager
    async with reach(fake) as found:
        contexts = Contexts(found)
        with contexts.act(NEW):
            asked = asyncio.create_task(contexts.look())
            await asyncio.sleep(0)
        assert (await asked).versions == ()
        assert contexts.deployed == NEW
        fake.manager.contexts["/shop"] = True
        assert (await contexts.look()).versions == (Version(""),)


STARTED_S = 1_700_000_000.0


async def left_by(redeploys: int, found: Manager) -> str:
    """Describe what so many redeployments leave if people are to be warned from three on."""

    async def since(at: float) -> int:
        assert at == STARTED_S
        return redeploys

    return await Node(None, found, Strategy.REDEPLOY).leftovers(since, 3)


async def test_leaks_are_reported_with_their_fix(reach: Reach) -> None:
    async with reach(tomcat(leaks=("/shop",))) as found:
        seen = await left_by(1, found)
    assert seen == ("earlier instances of the app still in memory: 1; restart Tomcat when you can")


async def test_many_redeployments_are_reported_with_their_fix(reach: Reach) -> None:
    async with reach(tomcat()) as found:
        assert await left_by(2, found) == "no leaks found"
        assert await left_by(3, found) == (
            "no leaks found; redeployed 3 times since Tomcat's start: restart it when you can"
        )


@pytest.mark.parametrize(
    ("command", "text"), [("findleaks", "leaks unknown: "), ("vminfo", "redeployments unknown: ")]
)
async def test_what_can_not_be_determined_is_no_failure(
    reach: Reach, monkeypatch: pytest.MonkeyPatch, command: str, text: str
) -> None:
    monkeypatch.setattr("bigred_server.tomcat.leftovers._LEAKS_DEADLINE_S", 0.2)
    monkeypatch.setattr(manager, "LOOK_DEADLINE_S", 0.2)
    async with reach(tomcat(hangs=frozenset({command}))) as found:
        assert text in await left_by(1, found)


async def test_a_deployment_itself_requests_no_garbage_collection(reach: Reach, war: Path) -> None:
    fake = tomcat()
    async with reach(fake) as found:
        await Node(None, found, Strategy.REDEPLOY).deploy(war, NEW, "", 5)
        await Node(None, found, Strategy.PARALLEL).deploy(war, NEW, SECOND, 5)
    assert not any("findleaks" in path for path in fake.asked)


async def test_a_war_kept_on_the_host_is_not_sent(reach: Reach) -> None:
    fake = tomcat()
    assert fake.manager
    host = FakeHost(kept_in={NEW: Path("/srv/kept releases/n&w.war")})
    async with reach(fake) as found:
        await Node(host, found, Strategy.REDEPLOY).deploy(Path("/nowhere"), NEW, "", 5)
    asked = next(path for path in fake.asked if "deploy" in path)
    query = {"path": ["/shop"], "war": ["file:/srv/kept releases/n&w.war"], "update": ["true"]}
    assert parse_qs(asked.partition("?")[2]) == query
    assert fake.manager.uploaded == []


async def test_a_refusing_manager_is_reported_whatever_the_host_says(reach: Reach) -> None:
    async with reach(tomcat(status=403)) as found:
        for host in (None, FakeHost(OLD)):
            seen = await Node(host, found, Strategy.REDEPLOY).look(answers=True)
            assert "answers 403: allow this server's address" in seen.problem
            assert seen.versions is None


@pytest.mark.parametrize(
    ("host", "answers", "is_reported"),
    [
        (None, False, True),
        (FakeHost(OLD, running=False), False, False),
        (FakeHost(OLD, running=True), False, False),
        (FakeHost(OLD, running=True), True, True),
    ],
)
async def test_an_absent_manager_is_reported_if_there_is_no_other_reason(
    reach: Reach, host: FakeHost | None, answers: bool, is_reported: bool
) -> None:
    fake = tomcat()
    fake.closes = True
    async with reach(fake) as found:
        seen = await Node(host, found, Strategy.REDEPLOY).look(answers=answers)
    assert bool(seen.problem) == is_reported
    assert seen.digest == (OLD if host else None)
    assert seen.running == (host.running if host else None)


async def test_a_node_without_a_manager_uses_only_its_host() -> None:
    host = FakeHost(OLD, problem="no commands here", kept_in={OLD: Path("/kept/old.war")})
    node = Node(host, None, Strategy.RESTART)
    seen = await node.look(answers=False)
    assert (seen.digest, seen.running, seen.problem) == (OLD, True, "no commands here")
    assert (seen.kept, seen.versions) == (frozenset({OLD}), None)
    await node.fetch(Path("/store/new.war"), NEW, frozenset({OLD}))
    await node.stop(5)
    await node.swap(NEW)
    await node.start(6)
    await node.close()
    fetched = f"fetch /store/new.war {NEW} ['{OLD}']"
    assert host.done == [fetched, "stop 5", f"swap {NEW}", "start 6", "close"]
    assert "this node has no Manager configured" in await failure(node.deploy(Path(), NEW, "", 5))
    assert "this node has no Manager configured" in await failure(node.undeploy("", 5))


async def test_over_http_alone_there_is_nothing_to_stop_or_swap(reach: Reach) -> None:
    async with reach(tomcat()) as found:
        node = Node(None, found, Strategy.REDEPLOY)
        for action in (node.stop(5), node.start(5), node.swap(NEW)):
            assert "only HTTP reaches this node" in await failure(action)
        await node.close()
