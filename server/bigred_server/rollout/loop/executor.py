"""Does acts, one at a time on a node, each between its intent and its outcome in the journal."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bigred_broker.messages import AppEventType
from bigred_server.errors import BigredError
from bigred_server.journal import actions
from bigred_server.journal.database import Database
from bigred_server.journal.leadership import Leadership
from bigred_server.model.action_record import Outcome
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.hook import Hook
from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.ports import Fleet
from bigred_server.rollout.loop.event_log import EventLog

log = structlog.get_logger(__name__)

Work = Callable[[], Awaitable[str]]
OnDone = Callable[[str], None]


@dataclass
class Executor:
    """Runs acts as tasks of a group; `busy` says which nodes an act still runs on, and which.

    `hook`: the hook that runs. Nothing is done without the lease: it is checked in the transaction
    of the intent, and what still runs when the lease is over is cancelled.
    """

    db: Database
    fleet: Fleet
    events: EventLog
    lead: Leadership
    tasks: asyncio.TaskGroup
    busy: dict[str, ActionKind] = field(default_factory=dict)
    hook: Hook | None = None
    _reasserting: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def launch(
        self, record: DeploymentRecord, action: Action, done: OnDone, sessions: int | None = None
    ) -> None:
        """Begin an act; `done` is called with why it failed, or "", when it has ended.

        An act on a node that is busy closes its door again, and counts as no try of anything.
        `sessions`: how many the node holds now.
        """
        if action.node not in self.busy:
            self.busy[action.node] = action.kind
            self.tasks.create_task(self._do(record, action, done, sessions))
        elif action.node not in self._reasserting:
            task = self.tasks.create_task(self._reassert(record, action))
            self._reasserting[action.node] = task

    def launch_hook(self, record: DeploymentRecord, hook: Hook, work: Work, done: OnDone) -> None:
        """Begin a hook; `done` is called when it has ended."""
        self.hook = hook
        self.tasks.create_task(self._run_hook(record, hook, work, done))

    async def _run_hook(
        self, record: DeploymentRecord, hook: Hook, work: Work, done: OnDone
    ) -> None:
        failure = "interrupted"
        try:
            failure = await self._journaled(record, "", hook, record.digest, work)
        finally:
            self.hook = None
            done(failure)

    async def _do(
        self, record: DeploymentRecord, action: Action, done: OnDone, sessions: int | None
    ) -> None:
        failure = "interrupted"
        try:
            failure = await self._act(record, action, sessions)
            if again := self._reasserting.get(action.node):
                # Were the node given back first, a late MAINT would take it out for good.
                await asyncio.wait([again])
        finally:
            del self.busy[action.node]
            done(failure)

    async def _reassert(self, record: DeploymentRecord, action: Action) -> None:
        try:
            await self._act(record, action, None)
        finally:
            del self._reasserting[action.node]

    async def _act(self, record: DeploymentRecord, action: Action, sessions: int | None) -> str:
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
    ) -> str:
        """Do an act between its intent and its outcome; give why it failed, or "".

        What can't be journaled is not done; where only the outcome can't be, the next look tells.
        """
        begun = time.time()
        try:
            async with self.db.write() as db:
                await self.lead.fence(db)
                token = self.lead.token
                number = await actions.begin(
                    db, record.id, node, kind, digest, begun, sessions=sessions, token=token
                )
            failure, evidence = await self._guarded(work, node, kind)
            now = time.time()
            outcome = Outcome.FAILED if failure else Outcome.DONE
            text = f"{kind} {outcome} in {now - begun:.2f} s"
            seen = failure or evidence
            async with self.db.write() as db:
                await self.lead.fence(db)
                await actions.end(db, number, outcome, seen, now)
                told = await self.events.note(
                    db, record, AppEventType.ACT, f"{text}: {seen}" if seen else text, node or None
                )
            self.events.publish(told)
        except SQLAlchemyError as error:
            log.exception("an act could not be journaled", node=node, kind=kind)
            return f"the journal could not be written: {error}"
        except BigredError as error:
            log.warning("an act was not done to its end", node=node, kind=kind, reason=str(error))
            return str(error)
        return failure

    async def _guarded(self, work: Work, node: str, kind: ActionKind | Hook) -> tuple[str, str]:
        """Do the work as long as this server leads; give why it failed, and the evidence."""
        try:
            async with self.lead.guard():
                return "", await work()
        except BigredError as error:
            return str(error), ""
        except Exception as error:
            # The outermost edge of the act's task: a fault of ours must not stop the loop that
            # has other nodes in hand.
            log.exception("an act broke", node=node, kind=kind)
            return f"{type(error).__name__}: {error}", ""
