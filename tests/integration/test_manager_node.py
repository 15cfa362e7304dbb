"""Nodes reached by a real Tomcat's Manager: what it answers, and what the app then does."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from tests.support.hosts import FakeHost
from tests.support.until import until
from tests.support.wars import Wars

from bigred_broker.program import free_port
from bigred_server.artifacts.files import digest_of
from bigred_server.errors import NodeAwayError, NodeError
from bigred_server.model.context_path import war_name
from bigred_server.rollout.core.context_version import following, name
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST, Version
from bigred_server.rollout.core.target import Strategy
from bigred_server.tomcat import probe
from bigred_server.tomcat.instance import ManagerUser, TomcatInstance
from bigred_server.tomcat.manager import Manager
from bigred_server.tomcat.manager_call import ManagerCall
from bigred_server.tomcat.node import Node

USER = ManagerUser("bigred", 'p"<&>ü')
DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def wars(tmp_path_factory: pytest.TempPathFactory) -> Wars:
    return Wars(tmp_path_factory.mktemp("wars"))


@pytest.fixture(scope="module")
def tomcat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TomcatInstance]:
    instance = TomcatInstance(tmp_path_factory.mktemp("node"), free_port(), manager=USER)
    instance.create()
    (instance.base / "password").write_text(f"{USER.password}\n")
    subprocess.run(instance.start_command, timeout=10, check=True)
    yield instance
    subprocess.run(instance.stop_command, timeout=20, check=True)


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with probe.client() as client:
        yield client


@pytest.fixture
async def manager(tomcat: TomcatInstance, http: httpx2.AsyncClient) -> AsyncIterator[Manager]:
    """Yield the Manager of a Tomcat, and undeploy everything of ours afterwards."""
    url = f"http://127.0.0.1:{tomcat.port}/manager"
    found = Manager(ManagerCall(http, url, USER.name, tomcat.base / "password"), "/lab")
    await until(lambda: is_there(found), DEADLINE_S, "the Manager answers")
    yield found
    for one in await found.versions():
        await found.undeploy(one.name, 20)


@pytest.fixture
def node(manager: Manager) -> Node:
    return Node(None, manager, Strategy.REDEPLOY)


@pytest.fixture
def parallel(manager: Manager) -> Node:
    return Node(None, manager, Strategy.PARALLEL)


async def is_there(manager: Manager) -> bool:
    try:
        await manager.versions()
    except NodeAwayError:
        return False
    return True


async def put(node: Node, war: Path, version: str = "", deadline_s: float = 20) -> str:
    return await node.deploy(war, digest_of(war), version, deadline_s)


async def put_alongside(node: Node, war: Path) -> str:
    """Deploy the next version; return its name."""
    version = following((await node.look(answers=False)).versions or (), digest_of(war))
    await put(node, war, version)
    return version


async def _never(_since: float) -> int:
    return 0


class App:
    """The app as a user sees it; with a session, if the user has one."""

    def __init__(self, manager: Manager, http: httpx2.AsyncClient) -> None:
        self._url = manager.call.url.removesuffix("/manager") + "/lab"
        self._http = http
        self._session = ""

    async def get(self, path: str = "/") -> tuple[int, str]:
        """Return status and release."""
        headers = {"cookie": self._session} if self._session else {}
        response = await self._http.get(self._url + path, headers=headers, timeout=20)
        if given := response.headers.get("set-cookie"):
            self._session = given.partition(";")[0]
        return response.status_code, response.headers.get("x-release", "")


@pytest.fixture
def app(manager: Manager, http: httpx2.AsyncClient) -> App:
    return App(manager, http)


# --- redeploy ------------------------------------------------------------------------------------


async def test_a_redeploy_replaces_the_app_and_looks_for_leaks(
    node: Node, app: App, wars: Wars
) -> None:
    assert (await node.look(answers=False)).digest == ""
    one, two = wars.make("1"), wars.make("2")
    await put(node, one)
    assert await app.get() == (200, "1")
    assert await put(node, two) == "OK - Deployed application at context path [/lab]"
    assert await node.leftovers(_never, 10) == "no leaks found"
    assert await app.get() == (200, "2")
    look = await node.look(answers=True)
    assert (look.digest, look.running, look.problem) == (digest_of(two), True, "")
    assert look.versions == (Version(""),)


async def test_another_process_cannot_know_what_was_deployed(
    node: Node, manager: Manager, wars: Wars
) -> None:
    await put(node, wars.make("1"))
    other = Node(None, manager, Strategy.REDEPLOY)
    assert (await other.look(answers=True)).digest == UNKNOWN_DIGEST


async def test_an_app_that_does_not_start_is_a_failure_and_the_old_one_is_gone(
    node: Node, app: App, wars: Wars
) -> None:
    await put(node, wars.make("1"))
    with pytest.raises(NodeError, match=r"FAIL - .* but context failed to start"):
        await put(node, wars.make("2", "listener-throws"))
    assert await app.get() == (404, "")
    look = await node.look(answers=True)
    assert (look.digest, look.running) == (UNKNOWN_DIGEST, True)
    assert look.versions == (Version("", running=False),)
    await put(node, wars.make("1"))
    assert await app.get() == (200, "1")


async def test_an_ok_does_not_prove_the_app(node: Node, app: App, wars: Wars) -> None:
    assert (await put(node, wars.make("2", "servlet-throws"))).startswith("OK - Deployed")
    assert (await app.get())[0] == 500


async def test_a_leak_is_reported_with_its_fix(node: Node, wars: Wars) -> None:
    await put(node, wars.make("1", "leaks"))
    await put(node, wars.make("2"))
    seen = await node.leftovers(_never, 10)
    assert seen.endswith("instances of the app still in memory: 1; restart Tomcat when you can")


async def test_a_deployment_that_timed_out_is_waited_out_by_the_next(
    node: Node, app: App, wars: Wars
) -> None:
    await put(node, wars.make("1"))
    slow, fast = wars.make("2", start_ms=3000), wars.make("3")
    with pytest.raises(NodeAwayError, match=r"deploy did not answer within 0\.\d+ s; it may still"):
        await put(node, slow, deadline_s=0.5)
    look = await node.look(answers=False)
    assert (look.digest, look.running) == (UNKNOWN_DIGEST, True)
    with pytest.raises(NodeError, match=r"already being serviced, still after 1 s"):
        await put(node, fast, deadline_s=1)
    await put(node, fast)
    assert await app.get() == (200, "3")


async def test_a_deployment_that_timed_out_appears_by_itself(
    node: Node, app: App, wars: Wars
) -> None:
    with pytest.raises(NodeAwayError):
        await put(node, wars.make("2", start_ms=1500), deadline_s=0.5)

    async def is_up() -> bool:
        return await app.get() == (200, "2")

    await until(is_up, DEADLINE_S, "the app is up")
    assert (await node.look(answers=True)).versions == (Version(""),)


async def test_sixty_megabytes_are_sent(node: Node, app: App, wars: Wars) -> None:
    await put(node, wars.make("big", padding=60_000_000))
    assert await app.get() == (200, "big")


async def test_a_kept_release_is_deployed_without_sending_a_byte(
    manager: Manager, app: App, wars: Wars
) -> None:
    war = wars.make("kept")
    host = FakeHost(digest=digest_of(war), kept_in={digest_of(war): war})
    node = Node(host, manager, Strategy.REDEPLOY)
    await node.deploy(Path("/nowhere.war"), digest_of(war), "", 20)
    assert await app.get() == (200, "kept")


async def test_a_kept_release_that_is_missing_is_a_failure(manager: Manager, wars: Wars) -> None:
    war = wars.make("kept")
    host = FakeHost(kept_in={digest_of(war): war.with_name("gone.war")})
    with pytest.raises(NodeError, match=r"Unable to copy .*gone\.war|Failed to deploy"):
        await put(Node(host, manager, Strategy.REDEPLOY), war)


# --- parallel ------------------------------------------------------------------------------------


async def test_versions_run_in_parallel_and_sessions_stay(
    parallel: Node, app: App, manager: Manager, http: httpx2.AsyncClient, wars: Wars
) -> None:
    one, two = wars.make("1"), wars.make("2")
    first = await put_alongside(parallel, one)
    assert await app.get("/visit") == (200, "1")
    second = await put_alongside(parallel, two)
    assert await app.get("/visit") == (200, "1")
    assert await App(manager, http).get("/visit") == (200, "2")
    look = await parallel.look(answers=True)
    assert look.versions == (
        Version(first, digest_of(one), sessions=1),
        Version(second, digest_of(two), sessions=1),
    )
    assert look.digest == digest_of(two)


async def test_our_own_requests_are_not_bound_to_an_old_version(
    parallel: Node, http: httpx2.AsyncClient, manager: Manager, wars: Wars
) -> None:
    await put_alongside(parallel, wars.make("1"))
    url = manager.call.url.removesuffix("/manager") + "/lab/visit"
    assert (await http.get(url)).headers["x-release"] == "1"
    await put_alongside(parallel, wars.make("2"))
    assert (await http.get(url)).headers["x-release"] == "2"


async def test_undeploying_the_newest_sends_users_back_and_waits_for_their_requests(
    parallel: Node, app: App, manager: Manager, http: httpx2.AsyncClient, wars: Wars
) -> None:
    one, two = wars.make("1"), wars.make("2")
    await put_alongside(parallel, one)
    second = await put_alongside(parallel, two)
    in_flight = asyncio.create_task(app.get("/slow?ms=5000"))
    others = [asyncio.create_task(_ask_often(App(manager, http))) for _ in range(4)]
    await asyncio.sleep(0.5)
    begun_s = time.monotonic()
    gone = asyncio.create_task(parallel.undeploy(second, 20))

    async def is_back() -> bool:
        return await App(manager, http).get() == (200, "1")

    await until(is_back, DEADLINE_S, "the older version answers")
    assert not in_flight.done()
    assert time.monotonic() - begun_s < 3
    assert (await parallel.look(answers=True)).digest == digest_of(one)
    assert await in_flight == (200, "2")
    await gone
    seen = {status for other in others for status in await other}
    assert seen == {200}
    assert await parallel.undeploy(second, 20) == f"/lab##{second} is not deployed"


async def _ask_often(app: App) -> set[int]:
    return {(await app.get())[0] for _ in range(300)}


async def test_a_version_that_does_not_start_is_undeployed_unnoticed(
    parallel: Node, app: App, wars: Wars
) -> None:
    first = await put_alongside(parallel, wars.make("1"))
    with pytest.raises(NodeError, match="context failed to start"):
        await put_alongside(parallel, wars.make("2", "listener-throws"))
    assert await app.get() == (200, "1")
    look = await parallel.look(answers=True)
    assert [one.name for one in look.versions or ()] == [first]


async def test_a_version_that_timed_out_is_found_by_the_next_try(
    parallel: Node, app: App, wars: Wars
) -> None:
    war = wars.make("1", start_ms=2000)
    version = name(1, digest_of(war))
    with pytest.raises(NodeAwayError):
        await put(parallel, war, version, deadline_s=0.5)
    seen = await put(parallel, war, version)
    # It waited for the start, or came just after it, and never started it again.
    assert seen in (
        f"OK - Started application at context path [/lab##{version}]",
        f"/lab##{version} is already deployed",
    )
    assert await app.get() == (200, "1")


async def test_a_context_without_a_version_sorts_before_all_others(
    manager: Manager, parallel: Node, wars: Wars
) -> None:
    one, two = wars.make("1"), wars.make("2")
    await manager.deploy(one, "", 20)
    host = FakeHost(digest=digest_of(one))
    assert (await Node(host, manager, Strategy.PARALLEL).look(answers=True)).digest == digest_of(
        one
    )
    second = await put_alongside(parallel, two)
    look = await parallel.look(answers=True)
    assert look.versions == (Version(""), Version(second, digest_of(two)))
    assert look.digest == digest_of(two)


# --- the connection ------------------------------------------------------------------------------


async def test_the_root_context_is_named_by_a_slash(manager: Manager, wars: Wars) -> None:
    root = Manager(manager.call, "")
    assert await root.versions() == ()
    await root.deploy(wars.make("1"), "", 20)
    assert await root.versions() == (Version(""),)
    assert await manager.versions() == ()
    assert await root.undeploy("", 20) == "OK - Undeployed application at context path [/]"


async def test_a_wrong_password_is_reported_before_a_byte_is_sent(
    manager: Manager, tmp_path: Path, wars: Wars
) -> None:
    (tmp_path / "password").write_text("wrong")
    call = ManagerCall(manager.call.http, manager.call.url, USER.name, tmp_path / "password")
    with pytest.raises(NodeError, match=r"list answers 401: give the user 'bigred'"):
        await Manager(call, "/lab").deploy(wars.make("big", padding=60_000_000), "", 20)


async def test_a_failure_in_another_language_is_a_failure(
    manager: Manager, http: httpx2.AsyncClient
) -> None:
    speaks = httpx2.AsyncClient(event_hooks={"request": [_in_spanish]})
    async with speaks:
        call = ManagerCall(speaks, manager.call.url, USER.name, manager.call.password_file)
        with pytest.raises(NodeError, match=r"answers: FALLO - No existe contexto .*/nothing"):
            await call("undeploy", {"path": "/nothing"}, 5)


async def _in_spanish(request: httpx2.Request) -> None:
    request.headers["accept-language"] = "es"


async def test_the_start_time_of_tomcat_is_known(manager: Manager) -> None:
    age_s = time.time() - await manager.started_at()
    assert 0 < age_s < 300


async def test_a_stopped_tomcat_gives_no_connection(
    http: httpx2.AsyncClient, manager: Manager
) -> None:
    call = ManagerCall(
        http, f"http://127.0.0.1:{free_port()}/manager", USER.name, manager.call.password_file
    )
    look = await Node(None, Manager(call, "/lab"), Strategy.REDEPLOY).look(answers=False)
    assert (look.digest, look.running, look.versions) == (None, None, None)
    assert look.problem.startswith("no connection to http://127.0.0.1:")


def test_without_a_user_there_is_no_manager(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    files = (conf / "Catalina/localhost/manager.xml", conf / "tomcat-users.xml")
    TomcatInstance(tmp_path, free_port(), manager=USER).create()
    assert all(file.exists() for file in files)
    assert files[1].stat().st_mode & 0o077 == 0
    TomcatInstance(tmp_path, free_port()).create()
    assert not any(file.exists() for file in files)


@pytest.mark.parametrize("context", ["/lab/desk", "/lab/desk/3", ""])
@pytest.mark.parametrize("strategy", [Strategy.REDEPLOY, Strategy.PARALLEL])
async def test_a_context_of_several_parts_or_the_root_is_deployed_found_and_undeployed(
    tomcat: TomcatInstance,
    manager: Manager,
    http: httpx2.AsyncClient,
    wars: Wars,
    tmp_path: Path,
    context: str,
    strategy: Strategy,
) -> None:
    there = Manager(manager.call, context)
    node, first = Node(None, there, strategy), wars.make("1.0")
    is_parallel = strategy is Strategy.PARALLEL
    version = name(1, digest_of(first)) if is_parallel else ""
    await put(node, first, version)
    war = f"{war_name(context)}{'##' if is_parallel else ''}{version}.war"
    assert (tomcat.webapps / war).exists()
    url = f"http://127.0.0.1:{tomcat.port}{context}/"
    assert (await http.get(url)).headers["x-release"] == "1.0"
    # A release that is kept on the node is in a folder whose name has a "#" too.
    second = tmp_path / war_name(context) / "second.war"
    second.parent.mkdir()
    second.write_bytes(wars.make("1.1").read_bytes())
    newer = name(2, digest_of(second)) if is_parallel else ""
    await there.deploy_kept(second, newer, 20)
    assert (await http.get(url)).headers["x-release"] == "1.1"
    expected = [version, newer] if is_parallel else [""]
    assert [one.name for one in await there.versions()] == expected
    assert await there.leaks(20) >= 0
    for one in expected:
        await there.undeploy(one, 20)
    assert await there.versions() == ()
