"""The server can read the configuration that the demo site writes for each kind of site."""

from pathlib import Path

import pytest

from bigred_server.demo import cleanup
from bigred_server.demo.config import configuration
from bigred_server.demo.options import DemoOptions, Tables
from bigred_server.rollout.core.policy import Sessions
from bigred_server.rollout.core.target import Strategy
from bigred_server.settings import AppSettings, ReachBy, Settings, SshSettings, load
from bigred_server.tomcat.instance import TomcatInstance

TESTBED = Path("/demo site")
SSH = SshSettings(
    host="127.0.0.1", port=2222, user="ada", key=Path("/k"), known_hosts=Path("/hosts")
)


def text(site: DemoOptions, server: str = "bigred-server", haproxies: int = 1) -> str:
    nodes = {f"node{n}": TomcatInstance(TESTBED / f"node{n}", 8000 + n) for n in (1, 2)}
    sockets = [Path(f"/h{number}.sock") for number in range(haproxies)]
    return configuration(TESTBED, 1884, sockets, nodes, site, "127.0.0.1:5514", server)


def read(tmp_path: Path, written: str) -> Settings:
    file = tmp_path / "bigred.toml"
    file.write_text(written)
    return load(file)


def app(tmp_path: Path, site: DemoOptions) -> AppSettings:
    return read(tmp_path, text(site)).fleets["shop"]


def test_the_plain_site_is_local_and_rolled_by_restart(tmp_path: Path) -> None:
    settings = read(tmp_path, text(DemoOptions()))
    shop = settings.fleets["shop"]
    assert (settings.server.state, settings.server.database) == (TESTBED / "state", "")
    assert (shop.strategy, shop.sessions) == (Strategy.RESTART, Sessions.MOVE)
    assert shop.haproxy.socket == "/h0.sock"
    assert {node.reach for node in shop.nodes.values()} == {ReachBy.LOCAL}
    assert shop.nodes["node1"].war == TESTBED / "node1" / "webapps" / "shop.war"
    assert shop.nodes["node1"].stop == ("/bin/sh", "/demo site/node1/tomcat", "stop")
    assert shop.nodes["node1"].manager is None


SENSIBLE = [(strategy, reach) for strategy in Strategy for reach in ReachBy]
SENSIBLE.remove((Strategy.RESTART, ReachBy.MANAGER))  # HTTP alone can't restart anything


@pytest.mark.parametrize(("strategy", "reach"), SENSIBLE)
def test_every_strategy_that_makes_sense_is_read(
    tmp_path: Path, strategy: Strategy, reach: ReachBy
) -> None:
    sessions = Sessions.PARALLEL if strategy is Strategy.PARALLEL else Sessions.MOVE
    ssh = SSH if reach is ReachBy.SSH else None
    shop = app(tmp_path, DemoOptions(strategy=strategy, sessions=sessions, reach=reach, ssh=ssh))
    assert (shop.strategy, shop.sessions) == (strategy, sessions)
    for node in shop.nodes.values():
        assert (node.reach, node.ssh) == (reach, ssh)
        assert (node.manager is None) == (strategy is Strategy.RESTART)
        assert (node.war is None) == (reach is ReachBy.MANAGER)


def test_processes_started_by_sshd_can_be_cleaned_up(tmp_path: Path) -> None:
    node = app(tmp_path, DemoOptions(reach=ReachBy.SSH, ssh=SSH, prefix=("/wrap",))).nodes["node1"]
    env = ("/usr/bin/env", f"{cleanup.MARK}=/demo site", "TMPDIR=/demo site")
    assert node.start == (*env, "/wrap", "/bin/sh", "/demo site/node1/tomcat", "start")


@pytest.mark.parametrize("site", [DemoOptions(sessions=Sessions.WAIT), DemoOptions(counted=True)])
def test_the_managers_count_the_sessions(tmp_path: Path, site: DemoOptions) -> None:
    manager = app(tmp_path, site).nodes["node2"].manager
    assert manager is not None
    assert (manager.user, manager.password_file) == ("bigred", TESTBED / "manager.password")


def test_several_haproxies_are_all_named(tmp_path: Path) -> None:
    settings = read(tmp_path, text(DemoOptions(haproxies=2), haproxies=2))
    assert settings.fleets["shop"].haproxy.sockets == ("/h0.sock", "/h1.sock")


def test_several_servers_share_only_database_and_releases(tmp_path: Path) -> None:
    site = DemoOptions(database="postgresql://x@/y?host=/run", servers=("left", "right"))
    servers = [read(tmp_path, text(site, name)).server for name in site.servers]
    assert [server.name for server in servers] == ["left", "right"]
    assert {server.database for server in servers} == {site.database}
    assert {server.releases for server in servers} == {TESTBED / "releases"}
    assert [server.state for server in servers] == [TESTBED / "state", TESTBED / "state-right"]


def test_additional_settings_take_precedence(tmp_path: Path) -> None:
    more: Tables = {
        "apps.shop": {"min_healthy": "50%", "batch": 2},
        "apps.shop.deadlines": {"start_s": 20.0},
        "apps.shop.hooks": {"before": ("/bin/true",)},
    }
    shop = app(tmp_path, DemoOptions(more=more))
    assert (shop.min_healthy, shop.batch, shop.countdown_s) == ("50%", 2, 0.0)
    assert (shop.deadlines.start_s, shop.deadlines.wrong_answer_s) == (20.0, 2.0)
    assert shop.hooks.before == ("/bin/true",)
