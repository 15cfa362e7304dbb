"""A campaign: deployments on one rig, one after the other, each with its own faults."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support import verdict
from tests.support.faults import Fault, Run
from tests.support.faulty import Faulty
from tests.support.rig import Rig, rig, wait_rarely
from tests.support.verdict import Evidence
from tests.support.victim import Victim

from bigred_broker.messages import Phase
from bigred_broker.program import ProgramError
from bigred_server.demo import request_log, visit_log
from bigred_server.demo.demo_site import FIRST
from bigred_server.demo.load import Load, LoadOptions, shopping
from bigred_server.demo.options import DemoOptions, Tables
from bigred_server.demo.sample import BuildKind
from bigred_server.rollout.core.policy import Sessions
from bigred_server.rollout.core.target import Strategy

END_S = 150.0
REPAIR_S = 90.0
_SETTLE_S = 3.0

# Half of the nodes may be updated at once, and every wait is as short as light Tomcats allow.
# Without the bakes a Manager would have finished before the first fault.
_SHORT: Tables = {
    "apps.shop": {"min_healthy": "50%", "batch": 2},
    "apps.shop.admission": {"warmup_requests": 20},
    "apps.shop.bake": {"canary_s": 1.0, "batch_s": 1.0},
    "apps.shop.deadlines": {
        **{"drain_s": 8.0, "stop_s": 30.0, "start_s": 20.0, "start_again_s": 1.0, "check_s": 20.0},
        **{"progress_s": 60.0, "hold_s": 20.0, "old_versions_s": 30.0, "mend_again_s": 3.0},
    },
}


@dataclass(frozen=True)
class Result:
    """The result of one run. `faults`: what must not be; `story`: how it came about."""

    run: Run
    phase: str
    seconds: float
    requests: int
    failed: int
    in_flight: int
    sessions: int
    sessions_lost: int
    faults: tuple[str, ...]
    story: tuple[str, ...]


@dataclass
class Campaign:
    """A rig, what is live on it, and how long an undisturbed deployment takes there."""

    rig: Rig
    faulty: Faulty
    load_options: LoadOptions
    _live: str = FIRST
    _number: int = 1
    _usual_s: float = 0.0

    def calibrate(self) -> float:
        """Deploy once undisturbed; return how many seconds that takes."""
        result = self.run(Run(0, BuildKind.GOOD, ()))
        if result.faults:
            raise ProgramError("\n".join(("undisturbed:", *result.faults, *result.story)))
        self._usual_s = result.seconds
        return result.seconds

    def run(self, run: Run) -> Result:
        """Deploy, make the faults happen, and check the result."""
        self._number += 1
        version, demo_site = f"{self._number}.0.0", self.rig.demo_site
        with shopping(
            demo_site.folder, demo_site.urls, self.load_options, f"run{self._number}"
        ) as load:
            wait_rarely(
                lambda: load.sessions()[0] == self.load_options.users,
                20,
                "all users have logged in",
            )
            deployment = self.rig.deploy(version, run.build)
            begun_at = self.rig.journal.deployment(deployment).started_at
            victim = Victim(self.rig, self.faulty, deployment, begun_at)
            victim.suffer(run, self._usual_s)
            with contextlib.suppress(ProgramError):
                self.rig.ended(victim.deployment, END_S)
            victim.finish()
            seen = self._settled(victim, run, version)
            unrepaired = self._repaired(victim, seen)
        result = self._result(victim, run, seen, load, unrepaired)
        if len(seen.live) == 1:
            self._live = seen.live[0]
        for file in demo_site.folder.glob(f"{load.out.name}*"):
            file.unlink()
        return result

    def _settled(self, victim: Victim, run: Run, version: str) -> Evidence:
        """Look at the end; if not all is well, wait a little: HAProxy takes a moment."""
        seen = [self._look(victim, run, version)]

        def is_well() -> bool:
            seen.append(self._look(victim, run, version))
            return not verdict.faults(seen[-1])

        with contextlib.suppress(ProgramError):
            wait_rarely(is_well, _SETTLE_S, "all is well")
        return seen[-1]

    def _look(self, victim: Victim, run: Run, version: str) -> Evidence:
        row = self.rig.journal.deployment(victim.deployment)
        return Evidence(
            build=run.build,
            phase=Phase(row.phase),
            reason=row.reason,
            before=self._live,
            wanted=version,
            live=tuple(self.rig.journal.live()),
            nodes=tuple(self.rig.demo_site.nodes),
            serving=self.rig.serving(),
            out=frozenset((*row.skipped, *row.set_aside)),
            killed=frozenset(victim.killed),
            journal=tuple(self.rig.journal.faults(victim.deployment)),
            asked_back=run.asks_back,
        )

    def _repaired(self, victim: Victim, seen: Evidence) -> list[str]:
        """Start dead nodes, wait until all serve the live release; name what is wrong."""
        victim.revive()
        if len(seen.live) != 1:
            return []
        try:
            self.rig.until_serving(seen.live[0], REPAIR_S)
        except ProgramError as error:
            return [f"{error}; serving is {self.rig.serving()}"]
        return []

    def _result(
        self, victim: Victim, run: Run, seen: Evidence, load: Load, unrepaired: list[str]
    ) -> Result:
        requests = load.seen()
        failed = tuple(f"{one.kind} {one.outcome}" for one in request_log.failures(requests))
        restarted = any(one.fault is Fault.HAPROXY_RESTARTED for one in run.misfortunes)
        allowed = len(failed) if restarted else victim.in_flight
        found = verdict.faults(replace(seen, failed=failed, in_flight=allowed))
        over = load.visits()
        ended_at = self.rig.journal.deployment(victim.deployment).ended_at or victim.begun_at
        return Result(
            run=run,
            phase=str(seen.phase),
            seconds=ended_at - victim.begun_at,
            requests=len(requests),
            failed=len(failed),
            in_flight=victim.in_flight,
            sessions=len(over),
            sessions_lost=len(visit_log.lost(over)),
            faults=(*found, *unrepaired),
            story=tuple(victim.full_story()),
        )


def site(strategy: Strategy, faulty: Faulty) -> DemoOptions:
    """Return the site of a campaign: short deadlines, and users kept on their node by a cookie."""
    sessions = Sessions.PARALLEL if strategy is Strategy.PARALLEL else Sessions.MOVE
    return DemoOptions(
        strategy=strategy, sessions=sessions, sticky=True, prefix=faulty.prefix, more=_SHORT
    )


@contextlib.contextmanager
def campaign(nodes: int, strategy: Strategy, load_options: LoadOptions) -> Iterator[Campaign]:
    """Set up a rig for a campaign; everything is removed when the block ends."""
    with TemporaryDirectory(prefix="faults-") as folder:
        faulty = Faulty(Path(folder))
        faulty.create()
        with rig(nodes, site(strategy, faulty)) as made:
            yield Campaign(made, faulty, load_options)
