"""Answers what happens at a box: a lid makes an arming, a press uses it and starts a deployment."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_broker.messages import Answer, BoxEvent, EventType, Phase, Refusal, Reply
from bigred_server.arming import sentences
from bigred_server.arming.arming import LIFE_S, Arming, new_id, refusal
from bigred_server.arming.gates import GateState, No, gate
from bigred_server.errors import DeploymentError
from bigred_server.journal import armings, deployments, releases
from bigred_server.journal.database import Database
from bigred_server.journal.deployments import Record
from bigred_server.release import Release, Stage, candidate
from bigred_server.rollout.command import Command
from bigred_server.rollout.fleet import Fleet, FleetLook
from bigred_server.rollout.view import is_serving
from bigred_server.settings import AppSettings, Settings

log = structlog.get_logger(__name__)

MAX_AGE_MS = 5000.0
_ANSWERED = frozenset({EventType.LID_OPEN, EventType.PRESS})


@dataclass(frozen=True)
class Presses:
    """The answers of one run of the server, named `server_run`, whose monotonic clock counts."""

    settings: Settings
    db: Database
    fleets: Mapping[str, Fleet]
    server_run: str
    started: Callable[[str], None]

    async def answer(self, box: str, event: BoxEvent) -> Reply | None:
        """Deal with an event; give the reply that is due, if one is.

        A repeated event gets the answer of the first; it does nothing again.
        """
        try:
            if event.event_type is EventType.LID_CLOSE:
                await self._close(box)
                return None
            if event.event_type not in _ANSWERED:
                return None
            return await self._answer(box, event)
        except SQLAlchemyError:
            log.exception("an event could not be journaled", box=box, id=event.id)
            return _refused(event, No(Refusal.BUSY, sentences.BUSY))

    async def _answer(self, box: str, event: BoxEvent) -> Reply:
        async with self.db.read() as db:
            known = await armings.answered(db, box, event.id)
        if known is not None:
            return Reply.model_validate_json(known)
        settings = self.settings.boxes.get(box)
        if settings is None:
            return _refused(event, No(Refusal.NOT_ALLOWED, sentences.unknown_box(box)))
        if event.age_ms > MAX_AGE_MS:
            return _refused(event, No(Refusal.STALE, sentences.STALE))
        name = settings.app
        look = await self.fleets[name].look(deep=False)
        async with self.db.write() as db:
            # The same event may have come twice at once; now nobody else can answer it.
            known = await armings.answered(db, box, event.id)
            if known is not None:
                return Reply.model_validate_json(known)
            if event.event_type is EventType.LID_OPEN:
                reply = await self._arm(db, box, name, look, event)
            else:
                reply = await self._fire(db, box, name, look, event)
            await armings.remember(db, box, event.id, reply.model_dump_json(), time.time())
        log.info("answered", box=box, happened=event.event_type, answer=reply.answer, app=name)
        if reply.answer is Answer.ACCEPTED:
            self.started(name)
        return reply

    async def _arm(
        self, db: AsyncConnection, box: str, name: str, look: FleetLook, event: BoxEvent
    ) -> Reply:
        app = self.settings.apps[name]
        state = await _gate_state(db, name, app, look)
        release = candidate(list(state.releases))
        no = gate(state)
        if no is not None or release is None:
            await armings.drop(db, box, time.time())
            return _refused(event, no or No(Refusal.NO_CANDIDATE, sentences.CANDIDATE_GONE), name)
        arming = Arming(
            id=new_id(),
            box=box,
            app=name,
            digest=release.digest,
            server_run=self.server_run,
            deadline_s=time.monotonic() + LIFE_S,
            made_at=time.time(),
        )
        await armings.add(db, arming)
        return Reply(
            id=event.id,
            answer=Answer.ARMED,
            app=name,
            release=release.note(),
            nodes=len(app.nodes),
            arming=arming.id,
            expires_in_s=LIFE_S,
        )

    async def _fire(
        self, db: AsyncConnection, box: str, name: str, look: FleetLook, event: BoxEvent
    ) -> Reply:
        state = await _gate_state(db, name, self.settings.apps[name], look)
        if state.running is not None:
            return _refused(event, gate(state) or No(Refusal.RUNNING, ""), name)
        arming = await armings.find(db, event.arming) if event.arming else None
        code = refusal(arming, box, self.server_run, time.monotonic())
        if code is not None or arming is None:
            code = code or Refusal.NO_ARMING
            return _refused(event, No(code, sentences.PRESS_REFUSALS[code]), name)
        release = next((r for r in state.releases if r.digest == arming.digest), None)
        if release is None or release.stage is not Stage.READY:
            return _refused(event, No(Refusal.NO_CANDIDATE, sentences.CANDIDATE_GONE), name)
        if no := gate(state):
            return _refused(event, no, name)
        return await self._start(db, box, arming, release, event)

    async def _start(
        self, db: AsyncConnection, box: str, arming: Arming, release: Release, event: BoxEvent
    ) -> Reply:
        """Use the arming up and make the deployment: both, or neither."""
        now = time.time()
        countdown_s = self.settings.apps[arming.app].countdown_s
        record = Record(
            id=deployments.new_id(),
            app=arming.app,
            digest=release.digest,
            previous=None,
            who=box,
            started_at=now,
            not_before=now + countdown_s if countdown_s else 0.0,
        )
        try:
            async with db.begin_nested():
                if not await armings.use(db, arming.id, now):
                    no = No(Refusal.USED, sentences.PRESS_REFUSALS[Refusal.USED])
                    return _refused(event, no, arming.app)
                await deployments.add(db, record)
        except DeploymentError as error:
            return _refused(event, No(Refusal.RUNNING, str(error)), arming.app)
        return Reply(
            id=event.id,
            answer=Answer.ACCEPTED,
            app=arming.app,
            release=release.note(),
            nodes=len(self.settings.apps[arming.app].nodes),
            deployment=record.id,
            countdown_s=countdown_s,
        )

    async def _close(self, box: str) -> None:
        """End the box's arming; within the countdown of its press, end that deployment."""
        settings = self.settings.boxes.get(box)
        async with self.db.write() as db:
            await armings.drop(db, box, time.time())
            if settings is None:
                return
            record = await deployments.running(db, settings.app)
            if record is None or record.who != box or record.phase is not Phase.PREPARING:
                return
            if record.not_before > time.time():
                # The rollout's loop ends it, as it ends everything: with an event and a receipt.
                await deployments.change(
                    db, record.id, command=Command.ABORT, reason=sentences.CANCELLED
                )
        self.started(settings.app)


async def _gate_state(
    db: AsyncConnection, name: str, app: AppSettings, look: FleetLook
) -> GateState:
    known = await releases.of_app(db, name)
    running = await deployments.running(db, name)
    version = next((r.version for r in known if running and r.digest == running.digest), "")
    return GateState(
        app=name,
        releases=known,
        running=running.phase if running else None,
        running_version=version,
        running_who=running.who if running else "",
        healthy=sum(is_serving(node) for node in look.nodes.values()),
        total=len(app.nodes),
        min_healthy=app.policy().min_healthy,
        trouble=look.trouble,
    )


def _refused(event: BoxEvent, no: No, app: str | None = None) -> Reply:
    return Reply(id=event.id, answer=Answer.REFUSED, app=app, code=no.code, reason=no.reason[:500])
