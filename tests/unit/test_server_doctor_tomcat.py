"""What the doctor finds in a Tomcat: its files, rule by rule, its app and its Manager."""

from base64 import b64decode
from pathlib import Path

import httpx2
import pytest
from tests.support.jvm import SEEN

from bigred_server.doctor import node, tomcat, tomcat_context, vitals, war_name
from bigred_server.doctor.finding import Finding, Severity
from bigred_server.doctor.node import NodeAnswer
from bigred_server.rollout.core.observation import HostLook, NodeLook, Version
from bigred_server.rollout.core.target import Strategy
from bigred_server.settings import MarkerSettings, MarkerSource
from bigred_server.settings.node import ManagerSettings, NodeSettings, ReachBy
from bigred_server.tomcat.manager import Manager
from bigred_server.tomcat.manager_call import ManagerCall
from bigred_server.tomcat.question import Question

WELL = """\
<Server port="-1">
  <Service name="Catalina" gracefulStopAwaitMillis="10000">
    <Connector port="8080" bindOnInit="false" keepAliveTimeout="120000" maxKeepAliveRequests="-1"/>
    <Connector port="8009" protocol="AJP/1.3"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" autoDeploy="false" unpackWARs="false"
            failCtxIfServletStartFails="true"/>
    </Engine>
  </Service>
</Server>
"""


def judged(text: str | None, port: int = 8080) -> dict[str, Finding]:
    found = tomcat.server("n", text, "/x can't be read", port)
    return {finding.code: finding for finding in found}


def test_a_well_configured_tomcat_has_nothing_to_fix() -> None:
    found = judged(WELL)
    assert {finding.level for finding in found.values()} == {Severity.OK}
    assert len(found) == len(tomcat.RULES)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (' bindOnInit="false"', "", "tomcat-bind"),
        ('bindOnInit="false"', 'bindOnInit="true"', "tomcat-bind"),
        (' gracefulStopAwaitMillis="10000"', "", "tomcat-graceful-stop"),
        (' autoDeploy="false"', "", "tomcat-auto-deploy"),
        (' unpackWARs="false"', "", "tomcat-unpack"),
        ('failCtxIfServletStartFails="true"', "", "tomcat-servlets"),
        (' maxKeepAliveRequests="-1"', "", "tomcat-keep-alive-requests"),
    ],
)
def test_each_rule_of_server_xml_is_judged(old: str, new: str, code: str) -> None:
    assert old in WELL
    found = judged(WELL.replace(old, new))
    assert [one.code for one in found.values() if one.level is not Severity.OK] == [code]
    assert found[code].level is Severity.WARN
    assert found[code].fix.startswith("set: <")


def test_the_connector_is_the_one_on_the_apps_port() -> None:
    other = WELL.replace("<Engine", '<Connector port="8443" bindOnInit="true"/><Engine', 1)
    assert judged(other)["tomcat-bind"].level is Severity.OK
    assert judged(other, 8443)["tomcat-bind"].level is Severity.WARN
    assert judged(other, 9999)["tomcat-port"].level is Severity.UNKNOWN
    assert judged(WELL, 8009)["tomcat-port"].level is Severity.UNKNOWN


def test_a_port_given_as_a_property_counts_if_it_is_the_only_one() -> None:
    assert judged(WELL.replace('"8080"', '"${port}"'), 1234)["tomcat-bind"].level is Severity.OK


def test_invalid_xml_is_bad_and_an_unreadable_file_is_unknown() -> None:
    assert judged("<Server>")["tomcat-xml"].level is Severity.BAD
    found = judged(None)
    assert {one.level for one in found.values()} == {Severity.UNKNOWN}
    assert found["tomcat-bind"].fix == 'check by hand: <Connector bindOnInit="false">'


@pytest.mark.parametrize(
    ("attributes", "haproxy_ms", "level"),
    [
        ('keepAliveTimeout="120000"', 30_000, Severity.OK),
        ('keepAliveTimeout="-1"', 30_000, Severity.OK),
        ('keepAliveTimeout="20000"', 30_000, Severity.WARN),
        ('keepAliveTimeout="30000"', 30_000, Severity.WARN),
        ('connectionTimeout="20000"', 30_000, Severity.WARN),
        ("", 30_000, Severity.OK),
        ("", 90_000, Severity.WARN),
        ('keepAliveTimeout="${x}"', 30_000, Severity.UNKNOWN),
        ('keepAliveTimeout="120000"', None, Severity.UNKNOWN),
    ],
)
def test_tomcat_must_keep_idle_connections_for_longer_than_haproxy(
    attributes: str, haproxy_ms: float | None, level: Severity
) -> None:
    text = WELL.replace('keepAliveTimeout="120000"', attributes)
    (found,) = tomcat.keep_alive("n", text, 8080, haproxy_ms)
    assert found.level is level


@pytest.mark.parametrize(
    ("text", "version", "nodes", "shared", "level"),
    [
        ("<Context/>", (10, 1), 2, False, Severity.OK),
        ("<Context/>", (10, 1), 1, False, Severity.WARN),
        ("<Context/>", (9, 0), 1, False, Severity.OK),
        ("<Context/>", None, 1, False, Severity.OK),
        ('<Context><Manager pathname="S.ser"/></Context>', (10, 1), 1, False, Severity.OK),
        ('<Context><Manager pathname=""/></Context>', (9, 0), 1, False, Severity.WARN),
        ("<Context/>", (10, 1), 2, True, Severity.WARN),
        ("<Server><Cluster/></Server>", (10, 1), 2, True, Severity.OK),
        ('<Context><Manager className="x.Persistent"/></Context>', None, 2, True, Severity.OK),
        ("<Context", None, 2, True, Severity.UNKNOWN),
    ],
)
def test_sessions_are_judged_by_version_nodes_and_settings(
    text: str, version: tuple[int, int] | None, nodes: int, shared: bool, level: Severity
) -> None:
    found = tomcat_context.context("n", [text], version, nodes=nodes, shared=shared)
    assert found[0].code == "tomcat-sessions"
    assert found[0].level is level


def test_the_jar_scanner_is_optional_and_never_a_fault() -> None:
    plain = tomcat_context.context("n", ["<Context/>"], None, nodes=2, shared=False)[1]
    limited = "<Context><JarScanner/></Context>"
    set_up = tomcat_context.context("n", [limited], None, nodes=2, shared=False)[1]
    assert (plain.level, set_up.level) == (Severity.OK, Severity.OK)
    assert plain.fix.startswith("optional: ")


# --- the app, and the Manager --------------------------------------------------------------------

HEADER = MarkerSettings(path="/shop/health")
MANIFEST = MarkerSettings(path="/shop/", read=MarkerSource.MANIFEST, name="Version")


@pytest.mark.parametrize(
    ("marker", "answer", "live", "code", "level"),
    [
        (HEADER, NodeAnswer(200, "", marker="1.2"), "1.2", "app-marker", Severity.OK),
        (HEADER, NodeAnswer(200, "", marker="1.2"), None, "app-marker", Severity.OK),
        (HEADER, NodeAnswer(200, "", marker="v1.2"), "1.2", "app-marker", Severity.WARN),
        (HEADER, NodeAnswer(200, "", marker=""), "1.2", "app-marker", Severity.BAD),
        (HEADER, NodeAnswer(503, "", marker="1.2"), "1.2", "app-answer", Severity.BAD),
        (HEADER, NodeAnswer(0, "ConnectError"), None, "app-answer", Severity.BAD),
        (MANIFEST, NodeAnswer(200, "", marker=None), "1.2", "app-marker", Severity.UNKNOWN),
        (MANIFEST, NodeAnswer(200, "", marker="1.2"), "1.2", "app-marker", Severity.OK),
    ],
)
def test_the_apps_answer_is_judged(
    marker: MarkerSettings, answer: NodeAnswer, live: str | None, code: str, level: Severity
) -> None:
    proven = {live: live} if live is not None else {}
    (found,) = node.app("n", Question(marker, proven), answer)
    assert (found.code, found.level) == (code, level)


async def test_the_app_is_asked_for_release_and_time() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == "/shop/health"
        headers = {"X-Release": "1.2", "date": "Sun, 06 Nov 1994 08:49:37 GMT"}
        return httpx2.Response(200, headers=headers)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        _, found = await node.ask_app(http, "http://n", [Question(HEADER)], None)
    assert (found.status, found.marker, found.date_s) == (200, "1.2", 784111777.0)


async def test_a_live_release_is_asked_as_it_was_recorded_and_then_as_configured_now() -> None:
    asked: list[str] = []
    answers = {"/old": "1.1"}

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        release = answers.get(request.url.path)
        headers = {"X-Release": release} if release else {}
        return httpx2.Response(200 if release else 404, headers=headers)

    old, new = (Question(MarkerSettings(path=path), {"1.2": "1.2"}) for path in ("/old", "/new"))
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        wrong = await node.ask_app(http, "http://n", [old, new], None)
        answers["/new"] = "1.2"
        right = await node.ask_app(http, "http://n", [old, new], None)
        answers["/old"] = "1.2"
        first = await node.ask_app(http, "http://n", [old, new], None)
    assert asked == ["/old", "/new", "/old", "/new", "/old"]
    assert [each[0] for each in (wrong, right, first)] == [old, new, old]
    levels = [node.app("n", *each)[0].level for each in (wrong, right, first)]
    assert levels == [Severity.WARN, Severity.OK, Severity.OK]


async def test_an_app_that_does_not_answer_is_reported_with_the_reason() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(refuse)) as http:
        _, found = await node.ask_app(http, "http://n", [Question(HEADER)], None)
    assert (found.status, found.text) == (0, "ConnectError: refused")


@pytest.mark.parametrize(
    ("ours", "anonymous", "level", "says"),
    [
        (200, 0, Severity.OK, "Apache Tomcat/10.1.60"),
        (401, 0, Severity.BAD, "password"),
        (403, 401, Severity.BAD, "no permission"),
        (403, 403, Severity.BAD, "refuses requests from this machine"),
        (404, 0, Severity.BAD, "no Manager at"),
        (302, 0, Severity.BAD, "answers 302"),
    ],
)
async def test_the_managers_refusals_are_distinguished(
    tmp_path: Path, ours: int, anonymous: int, level: Severity, says: str
) -> None:
    # As a real Tomcat answers: an anonymous request gets 401 if our role was refused, and 403 if
    # our address was.
    def answer(request: httpx2.Request) -> httpx2.Response:
        status = ours if "authorization" in request.headers else anonymous
        body = "OK - Server info\nTomcat Version: [Apache Tomcat/10.1.60]" if status == 200 else ""
        return httpx2.Response(status, text=body)

    secret = tmp_path / "password"
    secret.write_text("p\n")
    manager = ManagerSettings(user="bigred", password_file=secret)
    settings = NodeSettings(url="http://127.0.0.1:1", reach=ReachBy.MANAGER, manager=manager)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        answers = await node.ask_manager(http, settings)
    (found,) = node.manager("n", settings.manager_url, *answers)
    assert found.level is level
    assert says in found.text
    assert node.version(answers[0].text) == ((10, 1) if ours == 200 else None)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
async def test_a_password_is_sent_as_any_tomcat_reads_it(tmp_path: Path, encoding: str) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        sent = b64decode(request.headers["authorization"].removeprefix("Basic "))
        return httpx2.Response(200 if sent == "bigred:pü".encode(encoding) else 401, text="OK")

    secret = tmp_path / "password"
    secret.write_text("pü\n", encoding="utf-8")
    manager = ManagerSettings(user="bigred", password_file=secret)
    settings = NodeSettings(url="http://127.0.0.1:1", reach=ReachBy.MANAGER, manager=manager)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        ours, _ = await node.ask_manager(http, settings)
    assert ours.status == 200


def test_a_password_sent_unencrypted_is_reported() -> None:
    answers = NodeAnswer(200, "OK - Server info"), NodeAnswer(0, "")
    remote = node.manager("n", "http://192.0.2.1:8080/manager", *answers)
    assert [one.code for one in remote] == ["tomcat-manager", "tomcat-manager-clear"]
    assert len(node.manager("n", "https://192.0.2.1/manager", *answers)) == 1


# --- what the JVM uses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "text", "level", "says"),
    [
        (200, SEEN, Severity.OK, "can be read: "),
        (403, "", Severity.WARN, "role manager-jmx"),
        (200, "OK - but no beans\n", Severity.WARN, "is this Tomcat's Manager?"),
        (None, "", Severity.UNKNOWN, "no connection"),
    ],
)
async def test_a_node_whose_jvm_cannot_be_read_has_no_guard_rails(
    tmp_path: Path, status: int | None, text: str, level: Severity, says: str
) -> None:
    def reply(request: httpx2.Request) -> httpx2.Response:
        if status is None:
            raise httpx2.ConnectError("refused", request=request)
        return httpx2.Response(status, text=text)

    (tmp_path / "password").write_text("secret")
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(reply)) as http:
        call = ManagerCall(http, "http://127.0.0.1:1/manager", "bigred", tmp_path / "password")
        found = await vitals.check("shop", ["a", "b"], {"a": Manager(call, "/shop")})
    assert (found[0].where, found[0].level) == ("shop/a", level)
    assert says in found[0].text
    assert (found[1].where, found[1].level) == ("shop/b", Severity.WARN)
    assert "has no `manager` table" in found[1].text


# --- the name of the WAR -------------------------------------------------------------------------

RESTART, REDEPLOY = Strategy.RESTART, Strategy.REDEPLOY


@pytest.mark.parametrize(
    ("war", "context", "strategy", "level"),
    [
        ("shop.war", "/shop", RESTART, Severity.OK),
        ("shop##7.war", "/shop", RESTART, Severity.OK),
        ("ROOT.war", "", REDEPLOY, Severity.OK),
        ("books#desk.war", "/books/desk", REDEPLOY, Severity.OK),
        ("desk.war", "/books/desk", REDEPLOY, Severity.BAD),
        ("desk.war", "/books/desk", RESTART, Severity.WARN),
        ("books-desk.war", "/books/desk", REDEPLOY, Severity.BAD),
        ("ROOT.war", "/shop", RESTART, Severity.WARN),
        ("root.war", "", RESTART, Severity.WARN),
        ("Shop.war", "/shop", REDEPLOY, Severity.BAD),
    ],
)
def test_a_war_must_be_served_under_the_apps_context(
    war: str, context: str, strategy: Strategy, level: Severity
) -> None:
    found = war_name.check("n", Path("/srv/webapps") / war, context, strategy, None)
    assert (found.code, found.level) == ("war-name", level)


def test_the_fix_for_a_wars_name_is_a_context_or_another_name() -> None:
    war = Path("/srv/webapps/books#desk.war")
    found = war_name.check("n", war, "/desk", Strategy.REDEPLOY, None)
    assert found.text.startswith("Tomcat serves books#desk.war under /books/desk, but the app's")
    assert found.fix == (
        "set the app's context = \"/books/desk\", or end the node's `war` with desk.war"
    )
    root = war_name.check("n", Path("/srv/webapps/ROOT.war"), "/desk", Strategy.RESTART, None)
    assert root.fix.startswith('set the app\'s context = "/", or')


def test_a_context_file_may_name_a_war_of_any_name() -> None:
    war = Path("/srv/wars/current.war")
    descriptor = '<Context docBase="/srv/wars/current.war"/>'
    found = war_name.check("n", war, "/shop", Strategy.RESTART, descriptor)
    assert found.level is Severity.OK
    assert found.text.startswith("conf/Catalina/localhost/shop.xml")
    other = war_name.check("n", war, "/shop", Strategy.RESTART, "<Context/>")
    assert other.level is Severity.WARN


@pytest.mark.parametrize(
    ("versions", "levels"),
    [
        (None, []),  # no Manager
        ((), [Severity.WARN]),
        ((Version(""),), [Severity.OK]),
    ],
)
def test_a_manager_that_lists_no_app_at_the_context_path_is_reported(
    versions: tuple[Version, ...] | None, levels: list[Severity]
) -> None:
    looks = {"node1": NodeLook("node1", host=HostLook(versions=versions))}
    assert [one.level for one in war_name.listed("shop", looks, "/desk")] == levels
