"""The ways to deploy on a site: strategy, reach and sessions; each is tried under load."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support import sshd
from tests.support.rig import Rig, rig, wait_rarely
from tests.support.watch import overhead_s, watching

from bigred_broker.messages import Phase
from bigred_server.demo import request_log, visit_log
from bigred_server.demo.demo_site import FIRST
from bigred_server.demo.load import LoadOptions, shopping
from bigred_server.demo.options import DemoOptions, Tables
from bigred_server.demo.sample import BuildKind
from bigred_server.rollout.core.policy import Sessions
from bigred_server.rollout.core.target import Strategy
from bigred_server.settings import ReachBy

# On a site that waits for sessions, users log out after about this long.
STAY_S = 3.0
END_S = 240.0

MORE: Tables = {
    "apps.shop.deadlines": {"sessions_s": 30.0, "drain_s": 15.0, "old_versions_s": 20.0}
}


@dataclass(frozen=True)
class Route:
    """One way to deploy on a site."""

    strategy: Strategy
    reach: ReachBy
    sessions: Sessions

    def __str__(self) -> str:
        return f"{self.strategy} {self.reach} {self.sessions}"

    @property
    def keeps_sessions(self) -> bool:
        """Return whether no session may be lost."""
        return self.sessions is not Sessions.MOVE


def _all_routes() -> Iterator[Route]:
    for reach in ReachBy:
        if reach is not ReachBy.MANAGER:
            yield Route(Strategy.RESTART, reach, Sessions.MOVE)
            yield Route(Strategy.RESTART, reach, Sessions.WAIT)
        yield Route(Strategy.REDEPLOY, reach, Sessions.MOVE)
        yield Route(Strategy.REDEPLOY, reach, Sessions.WAIT)
        yield Route(Strategy.PARALLEL, reach, Sessions.PARALLEL)


ROUTES = tuple(_all_routes())


@dataclass(frozen=True)
class Rolled:
    """The cost of one deployment.

    `failed`: how each failed request ended. `sessions`: how many were made in all, `open` when the
    deployment began, `lost` in the end; `planned`: how many the plan expected to lose.
    `overheads_s`: what the server added to the time of each node's update. `counted`: how many
    requests its receipt has, `during` how many customers sent during the deployment, `acting` how
    many from its first action to its last; `backends`: where they were counted.
    """

    route: Route
    phase: Phase
    reason: str
    seconds: float
    requests: int
    failed: tuple[str, ...]
    sessions: int
    open: int
    lost: int
    planned: int
    overheads_s: tuple[float, ...]
    counted: int
    during: int
    acting: int
    backends: tuple[str, ...]

    def faults(self, expected: Phase = Phase.SUCCEEDED) -> list[str]:
        """Name what must not be."""
        found = [f"failed: {one}" for one in self.failed[:5]]
        if self.phase is not expected:
            found.append(f"it {self.phase}: {self.reason}")
        if self.route.keeps_sessions and self.lost:
            found.append(f"{self.lost} of {self.sessions} sessions were lost")
        if not 0.9 * self.acting < self.counted < 1.1 * self.during:
            found.append(f"counted {self.counted} of {self.acting} to {self.during} requests")
        if expected is not Phase.SUCCEEDED:
            return found
        if not self.route.keeps_sessions and self.lost != self.planned:
            found.append(f"{self.lost} sessions were lost, the plan expected {self.planned}")
        return found


@contextlib.contextmanager
def site(route: Route, nodes: int, paths: tuple[tuple[str, str], ...] = ()) -> Iterator[Rig]:
    """Set up a rig for deployments of this kind; `paths`: of further backends."""
    with TemporaryDirectory(prefix="sshd-") as folder, contextlib.ExitStack() as stack:
        ssh = None
        if route.reach is ReachBy.SSH:
            place = sshd.make(Path(folder))
            stack.enter_context(place.start())
            ssh = place.settings
        asked = DemoOptions(
            strategy=route.strategy,
            sessions=route.sessions,
            reach=route.reach,
            ssh=ssh,
            sticky=True,
            counted=True,
            paths=paths,
            more=MORE,
        )
        made = stack.enter_context(rig(nodes, asked))
        if route.reach is ReachBy.MANAGER:
            # The live bytes can't be seen; submitting them makes a rollback possible.
            made.submit(FIRST)
        yield made


def load_options(route: Route, rate: float, users: int) -> LoadOptions:
    """Return the customers of such a site."""
    stay_s = STAY_S if route.sessions is Sessions.WAIT else None
    return LoadOptions(rate, users=users, pause_s=0.5, stay_s=stay_s)


def roll(
    made: Rig,
    route: Route,
    asked: LoadOptions,
    version: str,
    kind: BuildKind = BuildKind.GOOD,
) -> Rolled:
    """Deploy a release once under load, and return what it cost."""
    demo_site = made.demo_site
    with shopping(demo_site.folder, demo_site.urls, asked, f"way-{version}") as load:
        wait_rarely(lambda: load.sessions()[0] >= asked.users * 0.8, 20, "the users have logged in")
        made.submit(version, kind)
        planned, opened = made.plan(version)["sessions_lost"], load.sessions()[0]
        begun, begun_s = time.time(), time.monotonic()
        with watching(made) as watch:
            deployment = made.bigred("deploy", version, "--no-wait").split()[1]
            phase = made.ended(deployment, END_S)
        end_s = time.monotonic() + 3 * asked.pause_s
        wait_rarely(lambda: time.monotonic() > end_s, 30, "every user has come back once more")
    actions, row = made.journal.actions(deployment), made.journal.deployment(deployment)
    over, requests = load.visits(), load.seen()
    seconds, receipt = (row.ended_at or begun) - begun, made.receipt(deployment)
    to_monotonic_s = begun_s - begun

    def sent(start: float, end: float) -> int:
        return len(request_log.within(requests, start + to_monotonic_s, end + to_monotonic_s))

    first, last = actions[0], actions[-1]
    added = [
        overhead_s([action for action in actions if action.node == name], watch.seen[name])
        for name in demo_site.nodes
    ]
    return Rolled(
        route=route,
        phase=phase,
        reason=row.reason,
        seconds=seconds,
        requests=len(requests),
        failed=tuple(f"{one.kind} {one.outcome}" for one in request_log.failures(requests)),
        sessions=len(over),
        open=opened,
        lost=len(visit_log.lost(over)),
        planned=planned or 0,
        overheads_s=tuple(one for one in added if one is not None),
        counted=receipt["requests"],
        during=sent(row.started_at, row.ended_at or begun),
        acting=sent(first.begun_at, last.ended_at or last.begun_at),
        backends=tuple(receipt["backends"]),
    )
