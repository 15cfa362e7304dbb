"""What `bigred init` writes can be loaded: a short file to start from, or the whole reference."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import replace

import pytest

from bigred_broker.config import ConfigError, parse
from bigred_server.haproxy.survey import SurveyedServer
from bigred_server.settings import ReachBy, Settings, example, reference
from bigred_server.settings.site import EXAMPLE, SiteSurvey, identifiers
from bigred_server.settings.starter import starter
from bigred_server.settings.tailor import tailored

LOCAL = (SurveyedServer("node1", "127.0.0.1:8081"), SurveyedServer("node2", "127.0.0.1:8082"))
REMOTE = (
    SurveyedServer("web_A", "192.0.2.1:8080"),
    SurveyedServer("web_B", "[2001:db8::2]:8443", tls=True),
)
FAR = (SurveyedServer("node1", "192.0.2.1:8080"), SurveyedServer("node2", "192.0.2.2:8080"))

Write = Callable[[SiteSurvey], str]


def site(*servers: SurveyedServer, backend: str = "shop", path: str = "/shop/health") -> SiteSurvey:
    return SiteSurvey(("/run/haproxy/admin.sock",), backend, servers, path)


def full(of: SiteSurvey) -> str:
    return tailored(reference.parse(example()), of)


def loaded(of: SiteSurvey, write: Write = starter) -> Settings:
    return parse(write(of), Settings, "bigred.toml")


SITES = [
    site(*LOCAL),
    site(*LOCAL[:1]),
    site(*REMOTE),
    site(*LOCAL, *REMOTE),
    site(*REMOTE, *LOCAL, backend="Web.Shop", path=""),
    site(*LOCAL, backend="site", path="/shop/health"),
    site(SurveyedServer("office", ""), SurveyedServer("haproxy", ""), SurveyedServer("server", "")),
    site(*(SurveyedServer(f"n{n}", f"app{n}.example:80") for n in range(40))),
    EXAMPLE,
]


# --- what both contain ---------------------------------------------------------------------------


@pytest.mark.parametrize("write", [starter, full])
@pytest.mark.parametrize("of", SITES)
def test_the_written_file_loads_and_has_every_server_in_order(of: SiteSurvey, write: Write) -> None:
    (app,) = loaded(of, write).fleets.values()
    assert [app.server_of(node) for node in app.nodes] == [server.name for server in of.servers]
    assert app.haproxy.sockets == of.sockets
    assert app.haproxy.backend == of.backend


@pytest.mark.parametrize("of", SITES)
def test_the_short_file_and_the_whole_reference_mean_the_same(of: SiteSurvey) -> None:
    assert loaded(of, starter) == loaded(of, full)


@pytest.mark.parametrize("write", [starter, full])
def test_a_name_cannot_break_out_of_its_string(write: Write) -> None:
    of = site(SurveyedServer('a"]\nwar = "x', "127.0.0.1:1"), backend='b"\n[evil]')
    # No HAProxy has such names, and they are refused when the file is loaded.
    (app,) = tomllib.loads(write(of))["apps"].values()
    assert app["haproxy"]["backend"] == 'b"\n[evil]'
    assert app["nodes"]["a-war-x"]["server"] == 'a"]\nwar = "x'
    with pytest.raises(ConfigError, match="is not a name in HAProxy"):
        loaded(of, write)


@pytest.mark.parametrize("write", [starter, full])
def test_no_line_is_too_long_to_read(write: Write) -> None:
    assert max(map(len, write(site(*LOCAL, *REMOTE)).splitlines())) <= 100


# --- what HAProxy reports, and guesses from it ---------------------------------------------------


def test_urls_and_reach_of_the_nodes_come_from_haproxy() -> None:
    nodes = loaded(site(*LOCAL, *REMOTE)).fleets["shop"].nodes
    assert [node.url for node in nodes.values()] == [
        *("http://127.0.0.1:8081", "http://127.0.0.1:8082"),
        *("http://192.0.2.1:8080", "https://[2001:db8::2]:8443"),
    ]
    assert [node.reach for node in nodes.values()] == [ReachBy.LOCAL] * 2 + [ReachBy.SSH] * 2
    assert [node.ssh.host for node in nodes.values() if node.ssh] == ["192.0.2.1", "2001:db8::2"]
    assert list(nodes) == ["node1", "node2", "web-a", "web-b"]


def test_two_tomcats_of_one_machine_get_two_wars_and_two_services() -> None:
    nodes = loaded(site(*LOCAL)).fleets["shop"].nodes
    assert [str(node.war) for node in nodes.values()] == [
        "/var/lib/tomcat10-node1/webapps/shop.war",
        "/var/lib/tomcat10-node2/webapps/shop.war",
    ]
    assert [node.stop for node in nodes.values()] == [
        ("systemctl", "stop", "tomcat10-node1"),
        ("systemctl", "stop", "tomcat10-node2"),
    ]


def test_servers_of_a_remote_haproxy_are_not_taken_for_local_ones() -> None:
    of = SiteSurvey(("192.0.2.9:9999",), "shop", LOCAL[:1], home="192.0.2.9")
    node = loaded(of).fleets["shop"].nodes["node1"]
    assert node.url == "http://192.0.2.9:8081"
    assert node.ssh
    assert node.ssh.host == "192.0.2.9"


def test_path_and_context_come_from_the_check() -> None:
    app = loaded(site(*LOCAL, backend="be_web", path="/shop/health")).fleets["be-web"]
    assert (app.marker.path, app.context) == ("/shop/health", "/shop")
    assert str(app.nodes["node1"].war).endswith("/webapps/shop.war")
    app = loaded(site(*LOCAL, backend="web", path="/health")).fleets["web"]
    assert (app.marker.path, app.context) == ("/health", "/web")  # by its name, marked EDIT
    assert loaded(site(*LOCAL, path="")).fleets["shop"].marker.path == "/shop/health"


@pytest.mark.parametrize(
    "path",
    [
        *("/actuator/health", "/manager/html", "/host-manager/html", "/health/ready", "/healthz/x"),
        *(
            "/api/v1/ping",
            "/q/health",
            "/app-status/x",
            "/.well-known/x",
            "/HEALTH/x",
            "/monitoring/x",
        ),
        *("/health", "/", "/index.html/x", "/a%20b/x", "/x8f3k2h9d7s6a5q4w1/health"),
    ],
)
@pytest.mark.parametrize("write", [starter, full])
def test_a_path_that_says_nothing_gives_no_context(path: str, write: Write) -> None:
    of = site(*LOCAL, backend="books", path=path)
    assert loaded(of, write).fleets["books"].context == "/books"
    assert str(loaded(of, write).fleets["books"].nodes["node1"].war).endswith("/webapps/books.war")
    assert 'context = "/books"' in edited(write(of))


@pytest.mark.parametrize("write", [starter, full])
@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/shop/health?token=hunter2", "/shop/health"),
        ("/shop/health;jsessionid=1", "/shop/health"),
        ("/shop/5f2c8d1e9a7b4c3d6e0f/health", "/shop/health"),
        ("/shop/Zm9vYmFyYmF6cXV4MTIz", "/shop/health"),
        ("/shop/healthcheck-of-the-shop", "/shop/healthcheck-of-the-shop"),
    ],
)
def test_a_secret_in_the_checked_path_is_not_written(uri: str, path: str, write: Write) -> None:
    of = site(*LOCAL, path=uri)
    assert loaded(of, write).fleets["shop"].marker.path == path
    assert f'path = "{path}"' in edited(write(of))
    assert "hunter2" not in write(of)
    if path != uri:
        assert uri not in write(of)
        assert "left out here because it may be a secret" in write(of)


@pytest.mark.parametrize("write", [starter, full])
def test_tomcats_own_apps_are_not_asked_for_the_release(write: Write) -> None:
    of = site(*LOCAL, path="/manager/html")
    assert loaded(of, write).fleets["shop"].marker.path == "/shop/health"


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.2:8080", "http://127.0.0.2:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("localhost:8080", "http://localhost:8080"),
    ],
)
def test_a_loopback_address_is_kept_as_haproxy_has_it(address: str, url: str) -> None:
    app = loaded(site(SurveyedServer("a", address))).fleets["shop"]
    assert (app.nodes["a"].url, app.nodes["a"].reach) == (url, ReachBy.LOCAL)


@pytest.mark.parametrize("write", [starter, full])
@pytest.mark.parametrize("address", ["", "0.0.0.0:8080", "[::]:8080"])
def test_a_server_without_an_address_is_named_and_leads_nowhere(address: str, write: Write) -> None:
    of = site(*LOCAL[:1], SurveyedServer("t1", address), SurveyedServer("T_2", address))
    nodes = loaded(of, write).fleets["shop"].nodes
    assert nodes["t1"].url == "http://t1.invalid:8080"
    assert edited(write(of))[-2:] == [
        'url = "http://t1.invalid:8080"',
        'url = "http://t-2.invalid:8080"',
    ]
    assert "HAProxy has no address for T_2" in write(of)


@pytest.mark.parametrize("write", [starter, full])
def test_two_servers_with_one_address_do_not_become_two_nodes_with_one_url(write: Write) -> None:
    twins = (SurveyedServer("a", "127.0.0.1:80"), SurveyedServer("b", "localhost:80"))
    of = site(*twins)
    assert loaded(of, write).fleets["shop"].nodes["b"].url == "http://b.invalid:8080"
    assert "HAProxy has the address of a for b as well" in write(of)


@pytest.mark.parametrize("write", [starter, full])
def test_a_loopback_address_of_another_machine_is_marked(write: Write) -> None:
    loopbacks = (SurveyedServer("a", "127.0.0.2:80"), SurveyedServer("b", "127.0.0.3:80"))
    text = write(SiteSurvey(("192.0.2.9:9999",), "shop", loopbacks, home="192.0.2.9"))
    nodes = parse(text, Settings, "x").fleets["shop"].nodes
    assert [node.url for node in nodes.values()] == [
        "http://192.0.2.9:80",
        "http://b.invalid:8080",
    ]
    assert "HAProxy reaches a at 127.0.0.2:80 of its own machine" in text


def test_a_backend_in_tcp_mode_is_marked() -> None:
    of = SiteSurvey(("/run/a.sock",), "shop", LOCAL, is_tcp=True)
    assert "[apps.shop.haproxy]" in edited(starter(of))
    assert "EDIT: use mode http. HAProxy carries connections here" in starter(of)


def test_a_box_may_deploy_the_app() -> None:
    assert loaded(site(*LOCAL, backend="web")).boxes["office"].app == "web"


def test_several_haproxies_become_a_list() -> None:
    of = SiteSurvey(("/run/a.sock", "192.0.2.9:9999"), "shop", LOCAL)
    assert loaded(of).fleets["shop"].haproxy.sockets == ("/run/a.sock", "192.0.2.9:9999")


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["node1", "Node_2", "n.3"], ["node1", "node-2", "n-3"]),
        (["a_b", "a-b", "A b"], ["a-b", "a-b-2", "a-b-3"]),
        (["", "---", "é"], ["node", "node-2", "node-3"]),
        (["x" * 40, "x" * 41], ["x" * 32, f"{'x' * 30}-2"]),
    ],
)
def test_names_become_ids(names: list[str], ids: list[str]) -> None:
    assert identifiers(names) == ids


# --- the short file ------------------------------------------------------------------------------


@pytest.mark.parametrize("of", [site(*LOCAL), site(*FAR), EXAMPLE])
def test_the_file_to_start_from_is_short(of: SiteSurvey) -> None:
    assert len(starter(of).splitlines()) <= 40


def test_every_further_node_takes_few_lines() -> None:
    def lines(servers: int) -> int:
        names = [SurveyedServer(f"n{n}", f"192.0.2.{n}:8080") for n in range(servers)]
        return len(starter(site(*names)).splitlines())

    assert lines(9) - lines(8) == 10


@pytest.mark.parametrize("of", SITES)
def test_the_file_to_start_from_comments_out_nothing(of: SiteSurvey) -> None:
    assert not re.search(r"^#\S", starter(of), re.MULTILINE)


def test_only_the_guesses_are_marked() -> None:
    assert edited(starter(site(*LOCAL, *REMOTE))) == [
        'path = "/shop/health"',
        "[apps.shop.nodes.node1]",
    ]
    assert edited(starter(site(*LOCAL, backend="web"))) == [
        'context = "/shop"',
        'path = "/shop/health"',
        "[apps.web.nodes.node1]",
    ]


def test_without_asking_haproxy_its_socket_must_be_edited_too() -> None:
    assert edited(starter(EXAMPLE)) == [
        "[apps.shop.haproxy]",
        'path = "/shop/health"',
        "[apps.shop.nodes.node1]",
    ]


def edited(text: str) -> list[str]:
    """List the lines to which a comment with EDIT refers."""
    return re.findall(r"^# EDIT: .+\n(.+)", text, re.MULTILINE)


# --- the whole reference -------------------------------------------------------------------------


@pytest.mark.parametrize("of", SITES)
def test_no_comment_of_the_reference_is_lost(of: SiteSurvey) -> None:
    written = set(full(of).splitlines())
    _, *comments = [line for line in example().splitlines() if re.match(r"#( |$)", line)]
    assert [line for line in comments if line not in written] == []


@pytest.mark.parametrize("of", SITES)
def test_no_key_of_the_reference_is_lost(of: SiteSurvey) -> None:
    def keys(text: str) -> set[str]:
        return set(re.findall(r"^#?([A-Za-z_]+) = ", text, re.MULTILINE))

    assert keys(full(of)) == keys(example())


def test_only_the_first_node_of_a_kind_is_explained() -> None:
    written = full(site(*LOCAL, *REMOTE))
    assert (
        written.count("# The node's own address, not HAProxy's. Two nodes can't have the same one.")
        == 1
    )
    assert written.count("# How to log in to a node") == 1


def test_a_kind_of_node_that_the_site_lacks_is_commented_out() -> None:
    assert "\n#[apps.shop.nodes.node1.ssh]\n" in full(site(*LOCAL))
    assert '\n#reach = "local"\n' in full(site(*FAR))


def test_the_guesses_are_marked_there_too() -> None:
    for of in (site(*LOCAL), site(*LOCAL, backend="web"), EXAMPLE):
        assert edited(full(of)) == edited(starter(of))


def test_the_service_has_the_name_of_the_tomcat_that_is_installed() -> None:
    written = starter(replace(site(*LOCAL), tomcat="tomcat11"))
    assert '"/var/lib/tomcat11-node1/webapps/shop.war"' in written
    assert "tomcat10" not in written
