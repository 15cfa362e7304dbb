"""The server's disk fills up in mid-deployment: nothing is lost, and work goes on by itself."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.disk import fill, small_disk
from tests.support.journal import Journal
from tests.support.rig import Rig, rig

from bigred_broker.program import wait_until
from bigred_server.demo.load import LoadOptions, shopping
from bigred_server.demo.options import DemoOptions, Tables
from bigred_server.demo.request_log import failures
from bigred_server.rollout.core.action import ActionKind as Act

NODES = 2
MIB = 1 << 20
ORDERS = LoadOptions(60.0, slowest_ms=1500)
FULL_S = 12.0  # longer than `progress_s` below
DEADLINE_S = 60.0


@dataclass
class Crowded:
    """A rig whose state folder is on a small disk of its own."""

    rig: Rig
    disk: Path

    def log(self) -> list[str]:
        return self.rig.demo_site.log("server").read_text().splitlines()

    def refused(self, *arguments: str) -> str:
        done = self.rig.demo_site.bigred(*arguments)
        assert done.returncode == 1, done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr


@contextmanager
def crowded(tmp_path: Path, more: Tables | None = None) -> Iterator[Crowded]:
    disk = tmp_path / "disk"
    with ExitStack() as stack:
        stack.enter_context(small_disk(disk, 128 * MIB))
        tables: Tables = {
            "server": {"state": str(disk)},
            "apps.shop.admission": {"warmup_requests": 20},
            "apps.shop.deadlines": {"progress_s": 10.0},
            **(more or {}),
        }
        made = stack.enter_context(rig(NODES, DemoOptions(more=tables)))
        made.journal = Journal(f"sqlite:///{disk / 'bigred.db'}")
        yield Crowded(made, disk)


def has_paused(site: Crowded) -> bool:
    return any("can't be used: its disk is full" in line for line in site.log())


def test_a_disk_that_fills_up_in_mid_deployment_costs_no_request_and_no_node(
    tmp_path: Path,
) -> None:
    with crowded(tmp_path) as site, site.rig.demo_site.box():
        made = site.rig
        with shopping(made.demo_site.folder, made.demo_site.urls, ORDERS) as load:
            deployment = made.deploy("2.0.0")
            made.until_act(deployment, "node1", Act.STOP)
            ballast = fill(site.disk)
            wait_until(lambda: has_paused(site), DEADLINE_S, "the server has noticed")
            begun = [action.id for action in made.journal.actions(deployment)]
            full_s = time.monotonic()
            made.demo_site.set_button("open")
            assert "its disk is full" in site.refused("abort")
            assert "the server's disk is full: free some space in" in made.bigred("status")
            assert json.loads(made.bigred("show", "--json", deployment))["phase"] == "canary"
            wait_until(
                lambda: time.monotonic() - full_s > FULL_S, DEADLINE_S, "it stays full", every_s=0.5
            )
            # Nothing was begun that the journal does not have.
            assert [action.id for action in made.journal.actions(deployment)] == begun
            assert set(made.serving().values()) == {"1.0.0"}
            ballast.unlink()
            made.succeeds(deployment)
        assert failures(load.seen()) == []
        assert made.serving() == {"node1": "2.0.0", "node2": "2.0.0"}
        assert made.journal.faults(deployment) == []
        assert made.receipt(deployment)["set_aside"] == []
        complaints = [line for line in site.log() if "disk is full" in line]
        assert 0 < len(complaints) <= 8, complaints


def test_a_server_that_is_killed_on_a_full_disk_starts_when_there_is_room(tmp_path: Path) -> None:
    with crowded(tmp_path) as site:
        made = site.rig
        with shopping(made.demo_site.folder, made.demo_site.urls, ORDERS) as load:
            deployment = made.deploy("2.0.0")
            made.until_act(deployment, "node1", Act.STOP)
            made.kill()
            ballast = fill(site.disk)
            with ThreadPoolExecutor(1) as pool:
                starting = pool.submit(made.start)
                wait_until(lambda: has_paused(site), DEADLINE_S, "the server has noticed")
                assert set(made.serving().values()) == {"1.0.0"}
                ballast.unlink()
                starting.result(DEADLINE_S)
            made.succeeds(deployment)
        assert failures(load.seen()) == []
        assert made.serving() == {"node1": "2.0.0", "node2": "2.0.0"}
        assert made.journal.faults(deployment) == []
