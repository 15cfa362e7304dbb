"""The main loop of one app: look, decide, act, and look again, until the deployment has ended.

Between deployments it keeps the app's state told and cares for what the last one left behind. It
never remembers what it did to a node; after a crash it goes on from the journal and the next look.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import structlog

from bigred_broker.messages import AppState
from bigred_server.journal import deployments, releases
from bigred_server.journal.database import Database
from bigred_server.journal.deployments import Record
from bigred_server.journal.leadership import Leadership
from bigred_server.model.release import live_of
from bigred_server.rollout.core.policy import Policy
from bigred_server.rollout.core.ports import Fleet, FleetLook
from bigred_server.rollout.core.target import Strategy
from bigred_server.rollout.core.view import wanted
from bigred_server.rollout.loop.adoption import Adoption
from bigred_server.rollout.loop.app_state import app_state, changes
from bigred_server.rollout.loop.context import Means
from bigred_server.rollout.loop.deployment_run import Course
from bigred_server.rollout.loop.evaluator import Witness
from bigred_server.rollout.loop.event_log import Narrator
from bigred_server.rollout.loop.executor import Executor
from bigred_server.rollout.loop.hook_runner import Hooks
from bigred_server.rollout.loop.maintenance import Caretaker
from bigred_server.rollout.loop.mapping import Known, by_digest, deployment_of, goal_of, recognised
from bigred_server.rollout.loop.resume import take_up
from bigred_server.rounds import Rounds

log = structlog.get_logger(__name__)

POLL_S = 0.1
IDLE_S = 0.5
_IDLE_LOOK_S = 2.0


@dataclass
class Controller:
    """Runs the deployments of one app. One task; `wake` it when something is wanted.

    `lead`: whether this server may; while another one leads, it stands by. `settled` is called
    after every deployment.
    """

    app: str
    db: Database
    fleet: Fleet
    policy: Policy
    strategy: Strategy
    adoption: Adoption
    narrator: Narrator
    hooks: Hooks
    witness: Witness
    lead: Leadership
    tell: Callable[[AppState], None]
    settled: Callable[[], Awaitable[None]]
    _rounds: Rounds = field(init=False)
    _course: Course | None = None
    _look: FleetLook = field(default_factory=lambda: FleetLook({}, None, None))
    _looked_at_s: float = float("-inf")
    _told: AppState | None = None
    _caretaker: Caretaker = field(init=False)

    def __post_init__(self) -> None:
        self._rounds = Rounds(self._complain, IDLE_S)
        self._caretaker = Caretaker(self.app, self.db, self.lead, self.policy, self.wake)

    def wake(self) -> None:
        """Have the loop look now instead of at its next tick."""
        self._rounds.wake()

    async def run(self) -> None:
        """Run until cancelled. What an act left undone then is seen by the next server's look."""
        async with asyncio.TaskGroup() as tasks:
            executor = Executor(self.db, self.fleet, self.narrator, self.lead, tasks)
            await self._rounds.run(lambda: self._tick(executor))

    def _complain(self, trouble: str) -> None:
        log.error("the rollout waits", app=self.app, reason=trouble)

    async def _tick(self, executor: Executor) -> float:
        """Do what is due; give how long to wait for the next time, in seconds."""
        if not await self.lead.hold():
            # What another server does meanwhile is its own to tell.
            self._course, self._told = None, None
            return IDLE_S
        async with self.db.read() as db:
            record = await deployments.running(db, self.app)
            known = by_digest(await releases.of_app(db, self.app))
        if record is None:
            return await self._between(known, executor)
        if self._course is None or self._course.id != record.id:
            if executor.busy or executor.hook:
                return POLL_S
            version = known[record.digest].version
            self._course = await take_up(record, version, self._means(), executor)
        countdown_s = record.not_before - time.time()
        if countdown_s > 0 and record.command is None:
            await self._tell(record, known)
            return min(countdown_s, POLL_S)
        busy = dict(executor.busy)
        await self._see(known)
        record = await self._course.go_on(record, known, self._look, busy)
        if record.phase.is_outcome:
            async with self.db.read() as db:
                known = by_digest(await releases.of_app(db, self.app))
        await self._tell(record, known)
        return POLL_S

    async def _see(self, known: Known) -> None:
        """Look at the fleet, and recognise the releases whose bytes can't be seen."""
        look = await self.fleet.look(deep=True)
        self._look = replace(look, nodes=recognised(look.nodes, known))

    def _means(self) -> Means:
        return Means(
            self.db,
            self.policy,
            self.strategy,
            self.adoption,
            self.narrator,
            self.hooks,
            self.witness,
            self.wake,
        )

    async def _between(self, known: Known, executor: Executor) -> float:
        """Keep the state told; take in what was live before Bigred came; care for the fleet."""
        if self._course is not None:
            self._course = None
            await self.settled()
        if time.monotonic() - self._looked_at_s >= _IDLE_LOOK_S:
            self._looked_at_s = time.monotonic()
            await self._see(known)
            self.witness.rest(self._look, time.time())
            live = live_of(known.values())
            looks = self._look.nodes
            if live is None:
                await self.adoption.adopt_unanimous(looks)
            else:
                await self._caretaker.do_next(goal_of(live, self.strategy), looks, executor)
        async with self.db.read() as db:
            last = next(iter(await deployments.newest(db, self.app, 1)), None)
            known = by_digest(await releases.of_app(db, self.app))
        await self._tell(last, known)
        return IDLE_S

    async def _tell(self, record: Record | None, known: Known) -> None:
        if record is not None and record.mends is not None:
            # A node that is mended is no news to an office; the app's own deployment is the last.
            async with self.db.read() as db:
                record = next(iter(await deployments.newest(db, self.app, 1)), None)
        goal = wanted(deployment_of(record, known, self.strategy)) if record else None
        state = app_state(self.app, record, list(known.values()), self._look.nodes, goal)
        for news in changes(self._told, state, time.time()):
            self.narrator.publish(news)
        self._told = state
        self.tell(state)
