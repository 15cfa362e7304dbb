"""A configuration filled in from HAProxy: every node in it, every comment kept, ready to load."""

import re
import tomllib

import pytest

from bigred_broker.config import parse
from bigred_server.blueprint import Site, identifiers, tailored
from bigred_server.haproxy.survey import SurveyedServer
from bigred_server.settings import ReachBy, Settings, example

LOCAL = (SurveyedServer("node1", "127.0.0.1:8081"), SurveyedServer("node2", "127.0.0.1:8082"))
REMOTE = (
    SurveyedServer("web_A", "192.0.2.1:8080"),
    SurveyedServer("web_B", "[2001:db8::2]:8443", tls=True),
)


def site(*servers: SurveyedServer, backend: str = "shop", path: str = "/shop/health") -> Site:
    return Site(("/run/haproxy/admin.sock",), backend, servers, path)


def loaded(of: Site) -> Settings:
    return parse(tailored(example(), of), Settings, "bigred.toml")


@pytest.mark.parametrize(
    "of",
    [
        site(*LOCAL),
        site(*LOCAL[:1]),
        site(*REMOTE),
        site(*LOCAL, *REMOTE),
        site(*REMOTE, *LOCAL, backend="Web Shop", path=""),
        site(SurveyedServer("unix", "")),
        site(*(SurveyedServer(f"n{n}", f"app{n}.example:80") for n in range(40))),
    ],
)
def test_what_is_written_loads_and_has_every_server_in_its_order(of: Site) -> None:
    (app,) = loaded(of).fleets.values()
    assert [app.server_of(node) for node in app.nodes] == [server.name for server in of.servers]
    assert app.haproxy.sockets == of.sockets
    assert app.haproxy.backend == of.backend


@pytest.mark.parametrize("of", [site(*LOCAL), site(*REMOTE), site(*REMOTE, *LOCAL)])
def test_no_comment_of_the_example_is_lost(of: Site) -> None:
    written = tailored(example(), of)
    for line in example().splitlines():
        if re.match(r"#( |$)", line):
            assert line in written, line


def test_urls_and_ways_to_the_nodes_are_those_of_haproxy() -> None:
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


def test_servers_of_a_haproxy_elsewhere_are_not_taken_for_ours() -> None:
    of = Site(("192.0.2.9:9999",), "shop", LOCAL[:1], home="192.0.2.9")
    node = loaded(of).fleets["shop"].nodes["node1"]
    assert node.url == "http://192.0.2.9:8081"
    assert node.ssh
    assert node.ssh.host == "192.0.2.9"


def test_the_check_tells_path_and_context() -> None:
    app = loaded(site(*LOCAL, backend="be_web", path="/shop/health")).fleets["be-web"]
    assert (app.marker.path, app.context) == ("/shop/health", "/shop")
    assert str(app.nodes["node1"].war).endswith("/webapps/shop.war")
    app = loaded(site(*LOCAL, backend="web", path="/health")).fleets["web"]
    assert (app.marker.path, app.context) == ("/health", None)
    assert loaded(site(*LOCAL, path="")).fleets["shop"].marker.path == "/shop/health"


def test_the_box_of_the_example_fires_the_app() -> None:
    assert loaded(site(*LOCAL, backend="web")).boxes["office"].app == "web"


def test_what_haproxy_cannot_tell_is_marked() -> None:
    written = tailored(example(), site(*LOCAL, *REMOTE))
    tables = re.findall(r"^\[apps\.shop\.nodes\.[^.\]]+\]\n(.+)", written, re.MULTILINE)
    assert len(tables) == 4
    assert all(line.startswith("# EDIT: ") for line in tables)
    assert "# EDIT: HAProxy's check asks this" in written
    assert "[apps.shop.nodes.node1]" not in tomllib.loads(written)


def test_several_haproxies_become_a_list() -> None:
    of = Site(("/run/a.sock", "192.0.2.9:9999"), "shop", LOCAL)
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


def test_a_name_cannot_break_out_of_its_place() -> None:
    of = site(SurveyedServer('a"]\nwar = "x', "127.0.0.1:1"), backend='b"\n[evil]')
    (app,) = loaded(of).fleets.values()
    assert app.haproxy.backend == 'b"\n[evil]'
