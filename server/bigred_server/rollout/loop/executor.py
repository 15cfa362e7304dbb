"""The executor of actions: one at a time per node, each with intent and outcome in the journal."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bigred_broker.faults import Faults
from bigred_broker.messages import AppEvent, AppEventType
from bigred_server.clock import SYSTEM, Clock
from bigred_server.errors import BigredError
from bigred_server.journal import actions
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.database import Database
from bigred_server.journal.leadership import Leadership
from bigred_server.journal.unavailable import passes
from bigred_server.model.action_record import Outcome
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.hook import Hook
from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.ports import Fleet
from bigred_server.rollout.loop.event_log import EventLog

log = structlog.get_logger(__name__)

Work = Callable[[], Awaitable[str]]
OnDone = Callable[[str], None]
T = TypeVar("T")

_WRITE_AGAIN_S = 1.0


@dataclass
class Executor:
    """Runs actions as tasks of a group; `busy`: by node, the kind of action that is running.

    `hook`: the hook that is running. `is_cut_off`: whether the journal could not be written since
    somebody set this to False. Nothing is done without the lease: it is checked in the
    transaction of the intent, and what is still running when the lease ends is cancelled.
    """

    db: Database
    fleet: Fleet
    events: EventLog
    lead: Leadership
    tasks: asyncio.TaskGroup
    busy: dict[str, ActionKind] = field(default_factory=dict)
    hook: Hook | None = None
    clock: Clock = SYSTEM
    is_cut_off: bool = False
    _faults: Faults = field(default_factory=Faults)
    _reasserting: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def launch(
        self, record: DeploymentRecord, action: Action, done: OnDone, sessions: int | None = None
    ) -> None:
        """Begin an action; when it ends, `done` is called with the reason it failed, or "".

        It is not called if the journal could not be written, and so nothing was done. An action on
        a node that is busy takes it out of the pool again, and does not count as a try. `sessions`:
        how many the node holds now.
        """
        if action.node not in self.busy:
            self.busy[action.node] = action.kind
            self.tasks.create_task(self._do(record, action, done, sessions))
        elif action.node not in self._reasserting:
            task = self.tasks.create_task(self._reassert(record, action))
            self._reasserting[action.node] = task

    def launch_hook(self, record: DeploymentRecord, hook: Hook, work: Work, done: OnDone) -> None:
        """Begin a hook; when it ends, `done` is called with the reason it failed, or ""."""
        self.hook = hook
        self.tasks.create_task(self._run_hook(record, hook, work, done))

    async def _run_hook(
        self, record: DeploymentRecord, hook: Hook, work: Work, done: OnDone
    ) -> None:
        failure: str | None = "interrupted"
        try:
            failure = await self._journaled(record, "", hook, record.digest, work)
        finally:
            self.hook = None
            if failure is not None:
                done(failure)

    async def _do(
        self, record: DeploymentRecord, action: Action, done: OnDone, sessions: int | None
    ) -> None:
        failure: str | None = "interrupted"
        try:
            failure = await self._act(record, action, sessions)
            if again := self._reasserting.get(action.node):
                # If the node became READY first, a late MAINT would take it out for good.
                await asyncio.wait([again])
        finally:
            del self.busy[action.node]
            if failure is not None:
                done(failure)

    async def _reassert(self, record: DeploymentRecord, action: Action) -> None:
        try:
            await self._act(record, action, None)
        finally:
            del self._reasserting[action.node]

    async def _act(
        self, record: DeploymentRecord, action: Action, sessions: int | None
    ) -> str | None:
        def work() -> Awaitable[str]:
            return self.fleet.act(action)

        return await self._journaled(
            record, action.node, action.kind, action.target.digest, work, sessions=sessions
        )

    async def _journaled(
        self,
        record: DeploymentRecord,
        node: str,
        kind: ActionKind | Hook,
        digest: str,
        work: Work,
        *,
        sessions: int | None = None,
    ) -> str | None:
        """Write the intent, do the work, write the outcome; return why it failed, or "".

        If the intent can't be written for now, nothing is done: return None, so that it does not
        count as a try. Until the outcome is written, nothing else is done on the node. An error of
        the journal that does not pass is a failure.
        """
        begun = time.time()

        async def begin(db: AsyncConnection) -> int:
            token = self.lead.token
            return await actions.begin(
                db, record.id, node, kind, digest, begun, sessions=sessions, token=token
            )

        try:
            number = await self._write(begin, node, kind)
            if number is None:
                return None
            failure, evidence = await self._guarded(work, node, kind)
            now = time.time()
            outcome = Outcome.FAILED if failure else Outcome.DONE
            text = f"{kind} {outcome} in {now - begun:.2f} s"
            result = failure or evidence
            if result:
                text += f": {result}"

            async def end(db: AsyncConnection) -> AppEvent:
                await actions.end(db, number, outcome, result, now)
                return await self.events.note(db, record, AppEventType.ACT, text, node or None)

            while (event := await self._write(end, node, kind)) is None:
                pass
            self.events.written(event)
        except BigredError as error:
            log.warning("an action was not completed", node=node, kind=kind, reason=str(error))
            return str(error)
        except SQLAlchemyError as error:
            log.exception("an action could not be written to the journal", node=node, kind=kind)
            return f"the journal could not be written: {error}"
        return failure

    async def _write(
        self, write: Callable[[AsyncConnection], Awaitable[T]], node: str, kind: ActionKind | Hook
    ) -> T | None:
        """Write to the journal; if that fails for now, report it, pause, and return None.

        Raise LeaseLostError if this server no longer leads, SQLAlchemyError if it fails for good.
        """
        try:
            async with self.db.write() as db:
                await self.lead.fence(db)
                return await write(db)
        except SQLAlchemyError as error:
            if not passes(error):
                raise
            self.is_cut_off = True
            if self._faults.count(str(error), self.clock.monotonic()):
                text = "an action can't be written to the journal; it is tried again"
                log.warning(text, node=node, kind=kind, reason=str(error))
        await self.clock.wait(asyncio.Event(), _WRITE_AGAIN_S)
        return None

    async def _guarded(self, work: Work, node: str, kind: ActionKind | Hook) -> tuple[str, str]:
        """Do the work while this server leads; return why it failed, or "", and the evidence."""
        try:
            async with self.lead.guard():
                return "", await work()
        except BigredError as error:
            return str(error), ""
        except Exception as error:
            # The outermost edge of the action's task: a bug of ours must not stop the loop that
            # is updating other nodes.
            log.exception("an action crashed", node=node, kind=kind)
            return f"{type(error).__name__}: {error}", ""
