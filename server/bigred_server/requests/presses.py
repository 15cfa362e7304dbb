"""Answer a box's events: an open lid makes an arming; a press uses it and begins a deployment.

A press while a deployment is running is the emergency stop (see `emergency_stop`).
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bigred_broker.messages import Answer, BoxEvent, EventType, Refusal, Reply
from bigred_server.clock import boot_clock_s
from bigred_server.errors import DeploymentError
from bigred_server.journal import armings, deployments, releases
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.database import Database
from bigred_server.journal.unavailable import JournalUnavailableError
from bigred_server.model.arming import LIFE_S, Arming, new_id, refusal
from bigred_server.model.json_object import Json
from bigred_server.model.release import Release, Stage
from bigred_server.requests import emergency_stop, freshness, replies, sentences
from bigred_server.requests.begin import begin_deployment
from bigred_server.requests.gates import GateRefusal, gate
from bigred_server.requests.preflight import Preflight, PreflightLook
from bigred_server.requests.replies import refused
from bigred_server.settings import BoxSettings

log = structlog.get_logger(__name__)

# By chance rather than by count, which a restart would forget.
_TIDIES = 1 / 16


class _TooLateError(Exception):
    """The deadline of an event passed while it was being answered."""

    def __init__(self, refusal: GateRefusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


class _RepeatedError(Exception):
    """An event came again; `reply` is the one that it got."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.id)
        self.reply = reply


@dataclass(frozen=True)
class Presses:
    """Answers box events in one run of the server, whose `clock_s` limits armings and delays.

    `preflights`: by app. `server_run`: the id of this run. `started` is called with the app when a
    deployment of it began or got a command. `dice`: from 0 to 1, decides when old rows are deleted.
    """

    boxes: Mapping[str, BoxSettings]
    db: Database
    preflights: Mapping[str, Preflight]
    server_run: str
    started: Callable[[str], None]
    clock_s: Callable[[], float] = boot_clock_s
    dice: Callable[[], float] = random.random

    async def answer(self, box: str, event: BoxEvent) -> Reply | None:
        """Process an event; return the reply to it, if there is one.

        An event repeated in time gets the same reply as the first, and has no further effect.
        Nothing is read for a box that is unknown, or for an event that comes too late.
        """
        if box not in self.boxes:
            return _unknown(box, event)
        try:
            match event.event_type:
                case EventType.LID_OPEN | EventType.PRESS:
                    return await self._answer(box, event)
                case EventType.LID_CLOSE:
                    await self._close(box)
                case EventType.HOLD:
                    await self._hold(box, event)
        except SQLAlchemyError as error:
            reason = sentences.BUSY
            if isinstance(error, JournalUnavailableError):
                reason = error.briefly
            else:
                log.exception("an event could not be written to the journal", box=box, id=event.id)
            return refused(event, GateRefusal(Refusal.BUSY, reason))
        return None

    async def _answer(self, box: str, event: BoxEvent) -> Reply:
        name = self.boxes[box].app
        if late := self._late(event):
            return refused(event, late, name)
        stops_it = event.event_type is EventType.PRESS and event.arming is None
        # The emergency stop waits for nothing, least of all for HAProxy.
        look = None if stops_it else await self.preflights[name].look()
        try:
            async with self.db.write() as db:
                reply = await self._write(db, box, name, look, event)
        except _TooLateError as error:
            return refused(event, error.refusal, name)
        except _RepeatedError as error:
            return error.reply
        if reply.answer is Answer.ACCEPTED:
            self.started(name)
        return reply

    async def _write(
        self, db: AsyncConnection, box: str, name: str, look: PreflightLook | None, event: BoxEvent
    ) -> Reply:
        """Write the effect of an event, and its reply.

        Raise _TooLateError, or _RepeatedError for an event that was answered before, to write
        nothing.
        """
        if known := await armings.answered(db, box, event.id):
            raise _RepeatedError(Reply.model_validate_json(known))
        if look is None:
            reply = await _stop(db, box, name, event)
        elif event.event_type is EventType.LID_OPEN:
            reply = await self._arm(db, box, name, look, event)
        else:
            reply = await self._fire(db, box, name, look, event)
        await armings.remember(db, box, event.id, reply.model_dump_json(), time.time())
        await self._tidy(db, box)
        # The look or the journal may have taken a while.
        if reply.answer is not Answer.REFUSED and (late := self._late(event)):
            raise _TooLateError(late)
        return reply

    async def _tidy(self, db: AsyncConnection, box: str) -> None:
        """Delete old rows of a box now and then: with each answer, it would be half its cost."""
        if self.dice() < _TIDIES:
            await armings.tidy(db, box, time.time())

    def _late(self, event: BoxEvent) -> GateRefusal | None:
        return freshness.refusal(event, self.server_run, self.clock_s())

    async def _arm(
        self, db: AsyncConnection, box: str, name: str, look: PreflightLook, event: BoxEvent
    ) -> Reply:
        state = await look.state(db)
        release = state.fires
        reason = gate(state)
        if reason is not None or release is None:
            await armings.drop(db, box, time.time())
            return refused(
                event, reason or GateRefusal(Refusal.NO_CANDIDATE, sentences.CANDIDATE_GONE), name
            )
        arming = Arming(
            id=new_id(),
            box=box,
            app=name,
            digest=release.digest,
            server_run=self.server_run,
            deadline_s=self.clock_s() + LIFE_S,
            made_at=time.time(),
        )
        await armings.add(db, arming)
        return replies.armed(event, arming, release, self.preflights[name].nodes)

    async def _fire(
        self, db: AsyncConnection, box: str, name: str, look: PreflightLook, event: BoxEvent
    ) -> Reply:
        state = await look.state(db)
        if state.running is not None:
            return refused(event, gate(state) or GateRefusal(Refusal.RUNNING, ""), name)
        arming = await armings.find(db, event.arming) if event.arming else None
        code = refusal(arming, box, self.server_run, self.clock_s())
        if code is not None or arming is None:
            code = code or Refusal.NO_ARMING
            return refused(event, GateRefusal(code, sentences.PRESS_REFUSALS[code]), name)
        release = state.run or await releases.find(db, name, arming.digest)
        if release is None or release.stage is not Stage.READY:
            return refused(event, GateRefusal(Refusal.NO_CANDIDATE, sentences.CANDIDATE_GONE), name)
        if reason := gate(state):
            return refused(event, reason, name)
        if state.run is not None:
            release = await releases.renew(db, release)
        return await self._start(db, box, arming, release, event, {} if state.run else None)

    async def _start(
        self,
        db: AsyncConnection,
        box: str,
        arming: Arming,
        release: Release,
        event: BoxEvent,
        trail: Json | None,
    ) -> Reply:
        """Use the arming and begin the deployment: both, or neither."""
        now = time.time()
        app = self.preflights[arming.app]
        try:
            async with db.begin_nested():
                if not await armings.use(db, arming.id, now):
                    reason = GateRefusal(Refusal.USED, sentences.PRESS_REFUSALS[Refusal.USED])
                    return refused(event, reason, arming.app)
                record = await begin_deployment(
                    db,
                    release.app,
                    release.digest,
                    box,
                    countdown_s=app.countdown_s,
                    trail=trail,
                )
        except DeploymentError as error:
            return refused(event, GateRefusal(Refusal.RUNNING, str(error)), arming.app)
        return replies.fired(event, record, release, app.nodes, app.countdown_s)

    async def _close(self, box: str) -> None:
        """End the box's arming; during the countdown after its press, abort the deployment."""
        async with self.db.write() as db:
            await armings.drop(db, box, time.time())
            running = await deployments.running(db, self.boxes[box].app)
            if running is None or not await emergency_stop.cancel(db, box, running):
                return
        self.started(running.app)

    async def _hold(self, box: str, event: BoxEvent) -> None:
        """Roll back a deployment on hold if a box that may fire its app holds its button down."""
        if late := self._late(event):
            log.info("a button held down was ignored", box=box, reason=late.reason)
            return
        async with self.db.write() as db:
            running = await deployments.running(db, self.boxes[box].app)
            if running is None or await armings.answered(db, box, event.id) is not None:
                return
            reply = await emergency_stop.held_down(db, box, event, running)
            if reply is None:
                return
            await armings.remember(db, box, event.id, reply.model_dump_json(), time.time())
            await self._tidy(db, box)
        self.started(self.boxes[box].app)


def _unknown(box: str, event: BoxEvent) -> Reply | None:
    if event.event_type not in (EventType.LID_OPEN, EventType.PRESS):
        return None
    return refused(event, GateRefusal(Refusal.NOT_ALLOWED, sentences.unknown_box(box)))


async def _stop(db: AsyncConnection, box: str, app: str, event: BoxEvent) -> Reply:
    running = await deployments.running(db, app)
    if running is None:
        code = Refusal.NO_ARMING
        return refused(event, GateRefusal(code, sentences.PRESS_REFUSALS[code]), app)
    return await emergency_stop.stop(db, box, event, running)
