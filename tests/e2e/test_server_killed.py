"""The deploy server, killed with SIGKILL at many moments, comes back and carries on.

Customers shop throughout; none of their requests may fail.
"""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pytest
from tests.support import forked

from bigred_broker.messages import AppState, NodeState
from bigred_broker.program import Child, wait_until
from bigred_server.demo.demo_site import DemoSite, set_up
from bigred_server.demo.load import Load, shopping
from bigred_server.demo.request_log import counts, failures
from bigred_server.demo.sample import BuildKind

RATE = 100.0
DEADLINE_S = 60.0


@dataclass(frozen=True)
class Act:
    """One row of the journal: an action with its outcome, None while it has none."""

    node: str
    kind: str
    outcome: str | None


@dataclass(frozen=True)
class Moment:
    """When to kill: an action of a kind on a node has begun, or (`ended`) has its outcome.

    `time` counts: in a rollback a node sees each kind of action a second time.
    """

    node: str
    kind: str
    ended: bool = False
    time: int = 1

    def is_now(self, actions: list[Act]) -> bool:
        ours = [
            action for action in actions if (action.node, action.kind) == (self.node, self.kind)
        ]
        return len(ours) >= self.time and (not self.ended or ours[-1].outcome is not None)

    def __str__(self) -> str:
        return f"{self.kind} of {self.node} {'ended' if self.ended else 'begun'}"


AT_ONCE = None  # before the deployment has left `preparing`
DEPLOYMENTS: dict[str, tuple[Moment | None, ...]] = {
    "2.0.0": (
        AT_ONCE,
        Moment("node1", "swap", ended=True),
        Moment("node2", "stop"),
        Moment("node2", "admit", ended=True),
    ),
    "3.0.0": (
        Moment("node1", "maint"),
        Moment("node1", "ready", ended=True),
        Moment("node2", "swap"),
        Moment("node2", "ready"),
    ),
    "4.0.0": (
        Moment("node1", "start", ended=True),
        Moment("node1", "admit"),
        Moment("node2", "maint", ended=True),
        Moment("node2", "start"),
    ),
}


@dataclass
class Rig:
    """A demo site with customers, and a server that can be killed and restarted."""

    demo_site: DemoSite
    load: Load
    _stack: ExitStack
    _server: Child | None = None

    def start(self) -> None:
        self._server = self._stack.enter_context(self.demo_site.server(run=forked.running))

    def kill(self) -> None:
        assert self._server is not None
        assert self._server.poll() is None, self.demo_site.log("server").read_text()[-2000:]
        self._server.kill()
        self._server.wait(5)

    def deploy(self, version: str, kind: BuildKind = BuildKind.GOOD) -> str:
        war = str(self.demo_site.build(version, kind))
        self.bigred("submit", war, "--version", version)
        return self.bigred("deploy", version, "--no-wait").split()[1]

    def bigred(self, *arguments: str) -> str:
        done = self.tried(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tried(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return forked.run(*arguments, "--config", str(self.demo_site.config))

    def rows(self, query: str, *values: str) -> list[tuple[str, ...]]:
        file = self.demo_site.folder / "state" / "bigred.db"
        with closing(sqlite3.connect(file, timeout=5)) as journal:
            return journal.execute(query, values).fetchall()

    def actions(self, deployment: str) -> list[Act]:
        query = "SELECT node, kind, outcome FROM act WHERE deployment = ? ORDER BY id"
        return [Act(*row) for row in self.rows(query, deployment)]

    def phase(self, deployment: str) -> str:
        return self.rows("SELECT phase FROM deployment WHERE id = ?", deployment)[0][0]

    def has_ended(self, deployment: str) -> bool:
        query = "SELECT 1 FROM deployment WHERE id = ? AND ended_at IS NOT NULL"
        return bool(self.rows(query, deployment))

    def nodes(self) -> set[tuple[str, str]]:
        state = AppState.model_validate_json(self.bigred("status", "--json"))
        return {(node.state, node.release) for node in state.nodes}


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with set_up(2, report) as demo_site:
        text = demo_site.config.read_text()
        demo_site.config.write_text(
            text.replace('warmup = ["/shop/"]', 'warmup = ["/shop/"]\nwarmup_requests = 20')
            # This leaves time to kill it between the last action and the end.
            + "\n[apps.shop.bake]\nlast_s = 2.0\n"
        )
        with ExitStack() as stack, shopping(demo_site.folder, demo_site.url, RATE) as load:
            rig = Rig(demo_site, load, stack)
            rig.start()
            yield rig
        report(f"over all: {counts(load.seen())}")
        assert failures(load.seen()) == []


def report(text: str) -> None:
    """Print figures, which `pytest -s` shows."""
    sys.stdout.write(f"{text}\n")


def kill_at(rig: Rig, deployment: str, moment: Moment | None) -> str:
    """Kill the server at a moment, start it again, and return how far it was."""
    if moment is not None:
        wait_until(
            lambda: moment.is_now(rig.actions(deployment)),
            DEADLINE_S,
            f"{moment} in {deployment}",
            every_s=0.0005,  # actions take milliseconds
        )
    rig.kill()
    left = [
        f"{action.kind} of {action.node}"
        for action in rig.actions(deployment)
        if not action.outcome
    ]
    found = f"{rig.phase(deployment)}, left open: {', '.join(left) or 'nothing'}"
    assert not rig.has_ended(deployment), "the deployment still runs when the server is killed"
    rig.start()
    return f"killed at {moment or 'its beginning'} ({found})"


@pytest.mark.timeout(300)
def test_a_deployment_succeeds_whenever_the_server_is_killed(rig: Rig) -> None:
    kills = 0
    for version, moments in DEPLOYMENTS.items():
        deployment = rig.deploy(version)
        for moment in moments:
            report(f"{version} {kill_at(rig, deployment, moment)}")
            kills += 1
        wait_until(lambda d=deployment: rig.has_ended(d), DEADLINE_S, f"{version} has ended")  # type: ignore[misc]
        assert rig.phase(deployment) == "succeeded"
        assert rig.nodes() == {(NodeState.SERVING, version)}
        slip = json.loads(rig.bigred("show", "--json", deployment))["receipt"]
        report(f"{version} succeeded in {slip['seconds']} s; {rig.load.counts()}")
        assert slip["failed"] == 0
    assert kills >= 10
    assert rig.load.counts().failed == 0


def test_a_rollback_is_finished_whenever_the_server_is_killed(rig: Rig) -> None:
    before = rig.nodes()
    deployment = rig.deploy("6.0.0", BuildKind.WRONG_RELEASE)
    for moment in (Moment("node1", "stop", time=2), Moment("node1", "admit")):
        report(f"6.0.0 {kill_at(rig, deployment, moment)}")
    wait_until(lambda: rig.has_ended(deployment), DEADLINE_S, "the rollback has ended")
    assert rig.phase(deployment) == "rolled_back"
    assert rig.nodes() == before
    assert "is bad" in rig.tried("deploy", "6.0.0").stderr
    assert rig.load.counts().failed == 0


def test_a_server_killed_between_deployments_disturbs_nothing(rig: Rig) -> None:
    before = rig.bigred("status", "--json")
    rig.kill()
    assert "The server is not running" in rig.tried("status").stderr
    rig.start()
    assert rig.bigred("status", "--json") == before
