"""The main loop of one app: look, decide, act, and look again until the deployment has ended.

Between deployments it publishes the app's state and maintains the fleet. It never remembers what it
did to a node; after a crash it continues from the journal and the next look.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from operator import is_

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bigred_broker.messages import AppState
from bigred_server.clock import SYSTEM, Clock
from bigred_server.control_loop import ControlLoop
from bigred_server.journal import deployments, releases
from bigred_server.journal.database import Database
from bigred_server.journal.leadership import Leadership
from bigred_server.journal.unavailable import impossible_value
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import live_of
from bigred_server.rollout.core.policy import Policy
from bigred_server.rollout.core.ports import Fleet, FleetLook, Telemetry
from bigred_server.rollout.core.target import Strategy
from bigred_server.rollout.core.view import wanted
from bigred_server.rollout.loop.adoption import Adoption
from bigred_server.rollout.loop.app_state import app_state, changes
from bigred_server.rollout.loop.context import RunContext
from bigred_server.rollout.loop.deployment_run import DeploymentRun
from bigred_server.rollout.loop.event_log import EventLog
from bigred_server.rollout.loop.executor import Executor
from bigred_server.rollout.loop.hook_runner import HookRunner
from bigred_server.rollout.loop.journal_view import JournalReader, JournalView
from bigred_server.rollout.loop.lookout import Lookout
from bigred_server.rollout.loop.maintenance import BeginRepair, Maintenance
from bigred_server.rollout.loop.mapping import (
    KnownReleases,
    by_digest,
    deployment_of,
    recognised,
    target_of,
)
from bigred_server.rollout.loop.resume import resume

log = structlog.get_logger(__name__)

POLL_S = 0.1
IDLE_S = 0.5
_IDLE_LOOK_S = 2.0
# How many times the processor time of a look the next one is put off, and for how long at most.
_PAUSES = 3
_LONGEST_PAUSE_S = 1.0


def pause_s(used_s: float) -> float:
    """Return the pause after a look of a deployment, in seconds. Pure.

    `used_s`: the processor time of the loop meanwhile. Where it has much to do, looks must not keep
    the actions of other apps from being done. To wait for a node that does not answer is no such
    reason. What an action has changed is looked at as soon as it ends.
    """
    return min(max(POLL_S, _PAUSES * used_s), _LONGEST_PAUSE_S)


@dataclass
class Reconciler:
    """Runs the deployments of one app, in one task; `wake` it for new deployments and commands.

    `journal`: what it reads of the journal for a look. `lead`: whether this server leads the app;
    while another server does, it stands by. `publish` receives every state of the app. `settled` is
    called after every deployment.
    """

    app: str
    db: Database
    journal: JournalReader
    fleet: Fleet
    policy: Policy
    strategy: Strategy
    adoption: Adoption
    events: EventLog
    hooks: HookRunner
    telemetry: Telemetry
    lead: Leadership
    publish: Callable[[AppState], None]
    settled: Callable[[], Awaitable[None]]
    begin_repair: BeginRepair
    clock: Clock = SYSTEM
    processor_s: Callable[[], float] = time.thread_time
    _loop: ControlLoop = field(init=False)
    _run: DeploymentRun | None = None
    _look: FleetLook = field(default_factory=lambda: FleetLook({}, None, {}))
    _looked_at_s: float = float("-inf")
    _published: AppState | None = None
    # What the published state was made of.
    _shown: tuple[object, ...] = ()
    _maintenance: Maintenance = field(init=False)

    def __post_init__(self) -> None:
        self._loop = ControlLoop(self._log_error, IDLE_S, clock=self.clock)
        self._maintenance = Maintenance(
            self.app, self.db, self.lead, self.policy, self.begin_repair, self.clock, self.wake
        )

    def wake(self) -> None:
        """Make the loop look now instead of at its next tick."""
        self._loop.wake()

    async def run(self) -> None:
        """Run until cancelled. The next server's look shows what an action left undone then."""
        async with asyncio.TaskGroup() as tasks:
            executor = Executor(
                self.db, self.fleet, self.events, self.lead, tasks, clock=self.clock
            )
            lookout = Lookout(self.fleet, tasks, self.wake)
            await self._loop.run(lambda: self._try(executor, lookout))

    def _log_error(self, reason: str) -> None:
        log.error("the rollout is waiting", app=self.app, reason=reason)

    async def _try(self, executor: Executor, lookout: Lookout) -> float:
        """Do a tick, and remember whether the journal failed in it."""
        lookout.rest()
        try:
            return await self._tick(executor, lookout)
        except SQLAlchemyError:
            executor.is_cut_off = True
            raise

    async def _tick(self, executor: Executor, lookout: Lookout) -> float:
        """Do what is due; return the seconds until the next tick."""
        begun_s = self.processor_s()
        if not await self.lead.hold():
            # What another server does meanwhile is for that server to publish.
            self._run, self._published = None, None
            self.fleet.rest()
            return IDLE_S
        view = await self.journal.view()
        record, known = view.running, view.known
        if record is None:
            executor.is_cut_off = False
            return await self._between(view, executor)
        if record.digest not in known:
            raise impossible_value(f"deployment {record.id}", "its release is unknown")
        if executor.is_cut_off:
            # While the journal can't be written, nothing begins: no deadline may count that time.
            self._run = None
        if self._run is None or self._run.id != record.id:
            if executor.busy or executor.hook:
                return POLL_S
            version = known[record.digest].version
            self._run = await resume(record, version, self._context(), executor)
            executor.is_cut_off = False
            # Before the first look at the fleet: everybody sees the deployment begin.
            await self._publish_state(record, known)
        countdown_s = record.not_before - self.clock.unix()
        if countdown_s > 0 and record.command is None:
            await self._publish_state(record, known)
            return min(countdown_s, POLL_S)
        busy = dict(executor.busy)
        await self._observe(known)
        record = await self._run.go_on(record, known, self._look, busy)
        if record.phase.is_outcome:
            async with self.db.read() as db:
                known = by_digest(await releases.of_app(db, self.app))
        await self._publish_state(record, known)
        lookout.watch(self._run.awaited(record, self._look))
        return pause_s(self.processor_s() - begun_s)

    async def _observe(self, known: KnownReleases, *, recent: bool = False) -> None:
        """Look at the fleet, and recognise the releases whose bytes can't be read."""
        look = await self.fleet.look(deep=True, recent=recent)
        self._look = replace(look, nodes=recognised(look.nodes, known))

    def _context(self) -> RunContext:
        return RunContext(
            self.db,
            self.policy,
            self.strategy,
            self.adoption,
            self.events,
            self.hooks,
            self.telemetry,
            self.clock,
            self.wake,
        )

    async def _between(self, view: JournalView, executor: Executor) -> float:
        """Publish the state, adopt what was live before Bigred, and maintain the fleet."""
        if self._run is not None:
            self._run = None
            await self.settled()
        if self.clock.monotonic() - self._looked_at_s >= _IDLE_LOOK_S:
            self._looked_at_s = self.clock.monotonic()
            await self._observe(view.known, recent=True)
            self.telemetry.rest(self._look, self.clock.unix())
            live = live_of(view.known.values())
            looks = self._look.nodes
            if live is None:
                await self.adoption.adopt_unanimous(looks)
            else:
                target, may_repair = target_of(live, self.strategy), not self._look.sharing
                await self._maintenance.do_next(
                    target, looks, executor, view.recent, may_repair=may_repair
                )
            # A repair may have begun, or the live release may have been adopted.
            view = await self.journal.view()
        await self._publish_state(view.running or view.last, view.known)
        return IDLE_S

    async def _publish_state(self, record: DeploymentRecord | None, known: KnownReleases) -> None:
        if record is not None and record.mends is not None:
            # The repair of a node is no news for an office; it sees the app's last deployment.
            async with self.db.read() as db:
                record = next(iter(await deployments.newest(db, self.app, 1)), None)
        shown = (record, known, self._look)
        if self._published is not None and all(map(is_, shown, self._shown)):
            # Still true: those who give it on want to hear so.
            self.publish(self._published)
            return
        target = wanted(deployment_of(record, known, self.strategy)) if record else None
        state = app_state(self.app, record, list(known.values()), self._look.nodes, target)
        for event in changes(self._published, state, self.clock.unix()):
            self.events.publish(event)
        self._published, self._shown = state, shown
        self.publish(state)
