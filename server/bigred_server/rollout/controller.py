"""The main loop of one app: look, decide, act, and look again, until the deployment has ended.

Between deployments it keeps the app's state told. It never remembers what it did to a node; after
a crash it goes on from the journal and the next look.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bigred_broker.messages import AppEventType, AppState, Phase
from bigred_server.errors import BigredError
from bigred_server.journal import acts, deployments, releases
from bigred_server.journal.database import Database
from bigred_server.journal.deployments import Record
from bigred_server.release import Release, Stage
from bigred_server.rollout import outcome, sentences, tally
from bigred_server.rollout.act import Act, Busy
from bigred_server.rollout.adoption import Adoption
from bigred_server.rollout.decide import Decision, decide
from bigred_server.rollout.deployment import Deployment
from bigred_server.rollout.executor import Executor
from bigred_server.rollout.fleet import Fleet, FleetLook
from bigred_server.rollout.goal import Goal
from bigred_server.rollout.narrator import Narrator
from bigred_server.rollout.policy import Policy
from bigred_server.rollout.tally import Tally
from bigred_server.rollout.view import View, wanted
from bigred_server.rollout.waits import Wait, track, tried
from bigred_server.status import app_state, changes, phase_text

log = structlog.get_logger(__name__)

POLL_S = 0.1
IDLE_S = 0.5
_IDLE_LOOK_S = 2.0

Known = Mapping[str, Release]


@dataclass
class _InHand:
    """What the loop holds of the deployment it runs: clocks and counters, nothing it acts on."""

    id: str
    waits: dict[str, Wait] = field(default_factory=dict)
    tally: Tally | None = None


@dataclass
class Controller:
    """Runs the deployments of one app. One task; `wake` it when something is wanted."""

    app: str
    db: Database
    fleet: Fleet
    policy: Policy
    adoption: Adoption
    narrator: Narrator
    tell: Callable[[AppState], None]
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _in_hand: _InHand | None = None
    _look: FleetLook = field(default_factory=lambda: FleetLook({}, None, None))
    _looked_at_s: float = float("-inf")
    _told: AppState | None = None
    _trouble: str = ""

    def wake(self) -> None:
        """Have the loop look now instead of at its next tick."""
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled. What an act left undone then is seen by the next server's look."""
        async with asyncio.TaskGroup() as tasks:
            executor = Executor(self.db, self.fleet, self.narrator, tasks)
            while True:
                try:
                    pause_s = await self._tick(executor)
                    self._trouble = ""
                except (BigredError, SQLAlchemyError) as error:
                    self._complain(str(error))
                    pause_s = IDLE_S
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._wake.wait()
                self._wake.clear()

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            log.error("the rollout waits", app=self.app, reason=trouble)

    async def _tick(self, executor: Executor) -> float:
        """Do what is due; give how long to wait for the next time, in seconds."""
        async with self.db.read() as db:
            record = await deployments.running(db, self.app)
            known = _by_digest(await releases.of_app(db, self.app))
        if record is None:
            self._in_hand = None
            return await self._idle(known)
        if self._in_hand is None or self._in_hand.id != record.id:
            if executor.busy:
                return POLL_S
            self._in_hand = await self._take_up(record, known[record.digest])
        countdown_s = record.not_before - time.time()
        if countdown_s > 0 and record.command is None:
            self._tell(record, known)
            return min(countdown_s, POLL_S)
        return await self._go_on(self._in_hand, record, known, executor)

    async def _go_on(
        self, in_hand: _InHand, record: Record, known: Known, executor: Executor
    ) -> float:
        # An act that ends during the look may be younger than what the look saw: it counts as
        # running still.
        busy = dict(executor.busy)
        self._look = await self.fleet.look(deep=True)
        record = await self._count(in_hand, record)
        try:
            if record.phase is Phase.PREPARING and record.previous is None:
                record, known = await self._find_way_back(record, known)
        except BigredError as error:
            decision = Decision(Phase.ABORTED, reason=sentences.no_return_ticket(str(error)))
        else:
            decision = self._decide(in_hand, _as_decided(record, known), busy)
        for act in decision.acts:
            if act.node not in busy or act.node in executor.busy:
                executor.launch(record, act, self._when_done(in_hand, act))
        if decision.phase is not record.phase:
            record, known = await self._enter(in_hand, record, known[record.digest], decision)
            self.wake()
        self._tell(record, known)
        return POLL_S

    def _decide(self, in_hand: _InHand, deployment: Deployment, busy: Busy) -> Decision:
        now_s, looks = time.monotonic(), self._look.nodes
        in_hand.waits = track(in_hand.waits, looks, wanted(deployment), now_s)
        return decide(View(deployment, looks, in_hand.waits, busy, self.policy, now_s))

    def _when_done(self, in_hand: _InHand, act: Act) -> Callable[[str], None]:
        begun = in_hand.waits[act.node]

        def done(failure: str) -> None:
            now_s = time.monotonic()
            in_hand.waits = tried(in_hand.waits, act.node, begun, now_s, failure)
            self.wake()

        return done

    async def _idle(self, known: Known) -> float:
        """Keep the state told; take in what was live before Bigred came."""
        if time.monotonic() - self._looked_at_s >= _IDLE_LOOK_S:
            self._looked_at_s = time.monotonic()
            self._look = await self.fleet.look(deep=True)
            if not any(release.stage is Stage.LIVE for release in known.values()):
                await self.adoption.adopt_unanimous(self._look.nodes)
        async with self.db.read() as db:
            last = next(iter(await deployments.newest(db, self.app, 1)), None)
            known = _by_digest(await releases.of_app(db, self.app))
        self._tell(last, known)
        return IDLE_S

    def _tell(self, record: Record | None, known: Known) -> None:
        goal = wanted(_as_decided(record, known)) if record else None
        state = app_state(self.app, record, list(known.values()), self._look.nodes, goal)
        for news in changes(self._told, state, time.time()):
            self.narrator.publish(news)
        self._told = state
        self.tell(state)

    async def _take_up(self, record: Record, release: Release) -> _InHand:
        """Begin with a deployment, or go on with one that an earlier server began."""
        async with self.db.write() as db:
            await acts.end_left_open(db, record.id, time.time())
        if record.phase is Phase.PREPARING:
            text = phase_text(record.phase, release.version, 0, f"{record.who} asked for it")
            await self.narrator.say(record, AppEventType.PHASE, text)
        else:
            text = "the server is back and goes on from what it sees"
            await self.narrator.say(record, AppEventType.FINDING, text)
        kept = tally.from_json(record.counters) if record.counters else None
        return _InHand(record.id, tally=kept)

    async def _count(self, in_hand: _InHand, record: Record) -> Record:
        """Bring the tally up to the look; the journal keeps where it began."""
        pid, counters = self._look.pid, self._look.counters
        if pid is None or counters is None:
            return record
        before = in_hand.tally
        in_hand.tally = tally.track(before or tally.begin(pid, counters), pid, counters)
        if before is not None and before.pid == pid:
            return record
        if before is not None:
            text = "HAProxy was reloaded or restarted; the states of its servers are set again"
            await self.narrator.say(record, AppEventType.FINDING, text)
        kept = in_hand.tally.to_json()
        async with self.db.write() as db:
            await deployments.change(db, record.id, counters=kept)
        return replace(record, counters=kept)

    async def _find_way_back(self, record: Record, known: Known) -> tuple[Record, Known]:
        """Know what to go back to before anything is touched."""
        previous = await self.adoption.previous(self._look.nodes, record.digest, known)
        if previous is None:
            return record, known
        async with self.db.write() as db:
            await deployments.change(db, record.id, previous=previous.digest)
        return replace(record, previous=previous.digest), {**known, previous.digest: previous}

    async def _enter(
        self, in_hand: _InHand, record: Record, release: Release, decision: Decision
    ) -> tuple[Record, Known]:
        """Write a change of phase to the journal and tell it; an outcome changes the releases."""
        record = outcome.entered(record, decision, time.time())
        counted = in_hand.tally.total if in_hand.tally else tally.ZERO
        async with self.db.write() as db:
            await outcome.write(db, record, release, counted)
            known = await releases.of_app(db, self.app)
        reason = record.reason if decision.reason else ""
        text = phase_text(record.phase, release.version, len(record.nodes), reason)
        await self.narrator.say(record, AppEventType.PHASE, text)
        return record, _by_digest(known)


def _by_digest(known: list[Release]) -> Known:
    return {release.digest: release for release in known}


def _as_decided(record: Record, known: Known) -> Deployment:
    previous = known.get(record.previous) if record.previous else None
    return Deployment(
        id=record.id,
        app=record.app,
        phase=record.phase,
        goal=_goal(known[record.digest]),
        previous=_goal(previous) if previous else None,
        nodes=record.nodes,
        skipped=record.skipped,
        command=record.command,
    )


def _goal(release: Release) -> Goal:
    return Goal(release.digest, release.marker)
