"""Single faults in mid-deployment: the deployment ends as it must, and no request fails."""

import os
import re
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import NullPool, create_engine, select
from tests.support import postgresql, sshd
from tests.support.disk import read_only, small_disk
from tests.support.rig import Rig, rig, wait_rarely
from tests.support.tap import Tap, speaking

from bigred_broker.messages import Phase
from bigred_server.demo.config import APP
from bigred_server.demo.load import LoadOptions, shopping
from bigred_server.demo.options import DemoOptions, Tables
from bigred_server.demo.request_log import failures
from bigred_server.demo.sample import BuildKind
from bigred_server.journal import tables
from bigred_server.rollout.core.action import ActionKind as Act
from bigred_server.rollout.core.target import Strategy
from bigred_server.settings import ReachBy

NODES = 2
TAKE_OVER_S = 15.0
MEGABYTE = 1 << 20
ORDERS = LoadOptions(100.0, slowest_ms=1500)
QUICK: Tables = {"apps.shop.admission": {"warmup_requests": 20}}


@contextmanager
def under_load(made: Rig) -> Iterator[None]:
    """Run customers for the length of the block; none of their requests may fail."""
    with shopping(made.demo_site.folder, made.demo_site.urls, ORDERS) as load:
        yield
    assert failures(load.seen()) == []


def all_serve(made: Rig, version: str) -> bool:
    return made.serving() == dict.fromkeys(made.demo_site.nodes, version)


def test_one_of_two_haproxies_is_reloaded_in_mid_deployment() -> None:
    with rig(NODES, DemoOptions(haproxies=2, more=QUICK)) as made, under_load(made):
        deployment = made.deploy("2.0.0")
        made.until_act(deployment, "node1", Act.MAINT, ended=True)
        made.demo_site.haproxies[1].reload()
        made.until_act(deployment, "node2", Act.START, ended=True)
        made.demo_site.haproxies[0].reload()
        made.succeeds(deployment)
        assert all_serve(made, "2.0.0")
        assert made.journal.faults(deployment) == []


def test_a_restart_of_haproxy_costs_only_the_requests_in_flight() -> None:
    with rig(NODES, DemoOptions(more=QUICK)) as made:
        with shopping(made.demo_site.folder, made.demo_site.urls, ORDERS) as load:
            deployment = made.deploy("2.0.0")
            made.until_act(deployment, "node1", Act.START, ended=True)
            made.restart_haproxy()
            back_s = time.monotonic()
            made.succeeds(deployment)
            assert all_serve(made, "2.0.0")
        assert [one for one in failures(load.seen()) if one.start_s > back_s] == []


def leader(made: Rig) -> tuple[str, int]:
    """Return the name of the server that leads the app, and its fencing token."""
    engine = create_engine(made.demo_site.journal, poolclass=NullPool)
    with engine.connect() as db:
        row = db.execute(select(tables.lease).where(tables.lease.c.app == APP)).mappings().one()
    return next(name for name in made.demo_site.site.servers if name in row["holder"]), row["token"]


def test_another_server_takes_over_from_a_frozen_leader() -> None:
    with postgresql.running() as cluster:
        site = DemoOptions(database=cluster.new_database(), servers=("left", "right"), more=QUICK)
        with rig(NODES, site) as made, under_load(made):
            first, token = leader(made)
            other = next(name for name in site.servers if name != first)
            deployment = made.deploy("2.0.0", server=other)
            made.until_act(deployment, "node1", Act.STOP)
            with made.frozen(first):
                frozen_s = time.monotonic()
                wait_rarely(lambda: leader(made)[0] == other, TAKE_OVER_S, f"{other} leads")
                assert time.monotonic() - frozen_s <= TAKE_OVER_S
                made.until_act(deployment, "node1", Act.READY, ended=True)
            # The first one wakes up in mid-deployment and must not touch anything.
            made.succeeds(deployment)
            assert all_serve(made, "2.0.0")
            assert made.journal.faults(deployment) == []
            assert leader(made)[1] > token


def submit_fat(made: Rig, version: str, size: int) -> str:
    """Deploy a release whose WAR has this many additional, incompressible bytes."""
    war = made.demo_site.build(version)
    with zipfile.ZipFile(war, "a") as archive:
        archive.writestr("WEB-INF/ballast", os.urandom(size))
    made.bigred("submit", str(war), "--version", version)
    return made.bigred("deploy", version, "--no-wait").split()[1]


@contextmanager
def kept_apart(folder: Path, size: int) -> Iterator[Rig]:
    """Set up a rig where node2 keeps its releases on a disk of this many bytes."""
    more: Tables = {**QUICK, "apps.shop.nodes.node2": {"kept": str(folder)}}
    with small_disk(folder, size), rig(NODES, DemoOptions(more=more)) as made:
        yield made


def test_a_node_with_a_full_disk_keeps_a_deployment_from_starting(tmp_path: Path) -> None:
    with kept_apart(tmp_path / "kept", MEGABYTE) as made, under_load(made):
        deployment = submit_fat(made, "2.0.0", 4 * MEGABYTE)
        assert made.ended(deployment) is Phase.ABORTED
        reason = made.journal.deployment(deployment).reason
        assert re.match(r"node2: its disk has [0-9]+ MiB free", reason), reason
        assert made.journal.actions(deployment) == []
        assert all_serve(made, "1.0.0")


def test_a_node_whose_disk_can_not_be_written_is_set_aside_once(tmp_path: Path) -> None:
    disk = tmp_path / "kept"
    with kept_apart(disk, 128 * MEGABYTE) as made, under_load(made):
        # Its free space looks as it should.
        with read_only(disk):
            deployment = submit_fat(made, "2.0.0", 4 * MEGABYTE)
            made.succeeds(deployment)
        assert made.receipt(deployment)["set_aside"] == ["node2"]
        assert made.serving() == {"node1": "2.0.0"}
        done = {
            action.kind for action in made.journal.actions(deployment) if action.node == "node2"
        }
        assert done == {Act.FETCH, Act.MAINT}
        assert made.journal.faults(deployment) == []


def test_an_upload_cut_in_the_middle_is_started_again(tmp_path: Path) -> None:
    place = sshd.make(tmp_path)
    with ExitStack() as stack:
        stack.enter_context(place.start())
        tap = stack.enter_context(Tap(target=place.port).laid())
        hosts = tmp_path / "hosts"
        text = place.settings.known_hosts.read_text()
        hosts.write_text(text.replace(f":{place.port} ", f":{tap.port} "))
        ssh = place.settings.model_copy(update={"port": tap.port, "known_hosts": hosts})
        site = DemoOptions(reach=ReachBy.SSH, ssh=ssh, more=QUICK)
        made = stack.enter_context(rig(NODES, site))
        with under_load(made):
            tap.cut_after(4 * MEGABYTE)
            deployment = submit_fat(made, "2.0.0", 20 * MEGABYTE)
            made.succeeds(deployment)
            assert tap.cuts == 1
            assert all_serve(made, "2.0.0")


def test_a_manager_that_fails_in_another_language_is_understood() -> None:
    with ExitStack() as stack:
        taps = [stack.enter_context(Tap(speaking("es")).laid()) for _ in range(NODES)]
        urls: Tables = {
            f"apps.shop.nodes.node{number}.manager": {"url": f"http://127.0.0.1:{tap.port}/manager"}
            for number, tap in enumerate(taps, 1)
        }
        site = DemoOptions(strategy=Strategy.REDEPLOY, more={**QUICK, **urls})
        made = stack.enter_context(rig(NODES, site))
        for tap, tomcat in zip(taps, made.demo_site.nodes.values(), strict=True):
            tap.target = tomcat.port
        with under_load(made):
            deployment = made.deploy("2.0.0", BuildKind.DOES_NOT_START)
            assert made.ended(deployment) is Phase.ROLLED_BACK
            evidence = [action.evidence for action in made.journal.actions(deployment)]
            assert any("FALLO" in said for said in evidence), evidence
            assert all_serve(made, "1.0.0")
            deployment = made.deploy("3.0.0")
            made.succeeds(deployment)
            assert all_serve(made, "3.0.0")
