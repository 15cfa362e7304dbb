"""Does acts, one at a time on a node, each between its intent and its outcome in the journal."""

import asyncio
import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bigred_broker.messages import AppEventType
from bigred_server.errors import BigredError
from bigred_server.journal import acts
from bigred_server.journal.acts import Outcome
from bigred_server.journal.database import Database
from bigred_server.journal.deployments import Record
from bigred_server.rollout.act import Act, Kind
from bigred_server.rollout.fleet import Fleet
from bigred_server.rollout.narrator import Narrator

log = structlog.get_logger(__name__)


class Executor:
    """Runs acts as tasks of a group; `busy` says which nodes an act still runs on, and which."""

    def __init__(
        self, db: Database, fleet: Fleet, narrator: Narrator, tasks: asyncio.TaskGroup
    ) -> None:
        self._db = db
        self._fleet = fleet
        self._narrator = narrator
        self._tasks = tasks
        self._reasserting: dict[str, asyncio.Task[None]] = {}
        self.busy: dict[str, Kind] = {}

    def launch(self, record: Record, act: Act, done: Callable[[str], None]) -> None:
        """Begin an act; `done` is called with why it failed, or "", when it has ended.

        An act on a node that is busy is MAINT said again, and counts as no try of anything.
        """
        if act.node not in self.busy:
            self.busy[act.node] = act.kind
            self._tasks.create_task(self._do(record, act, done))
        elif act.node not in self._reasserting:
            task = self._tasks.create_task(self._reassert(record, act))
            self._reasserting[act.node] = task

    async def _do(self, record: Record, act: Act, done: Callable[[str], None]) -> None:
        failure = "interrupted"
        try:
            failure = await self._journaled(record, act)
            if again := self._reasserting.get(act.node):
                # Were the node given back first, a late MAINT would take it out for good.
                await asyncio.wait([again])
        finally:
            del self.busy[act.node]
            done(failure)

    async def _reassert(self, record: Record, act: Act) -> None:
        try:
            await self._journaled(record, act)
        finally:
            del self._reasserting[act.node]

    async def _journaled(self, record: Record, act: Act) -> str:
        """Do an act between its intent and its outcome; give why it failed, or "".

        What can't be journaled is not done; where only the outcome can't be, the next look tells.
        """
        try:
            return await self._do_journaled(record, act)
        except SQLAlchemyError as error:
            log.exception("an act could not be journaled", node=act.node, kind=act.kind)
            return f"the journal could not be written: {error}"

    async def _do_journaled(self, record: Record, act: Act) -> str:
        begun = time.time()
        async with self._db.write() as db:
            number = await acts.begin(db, record.id, act.node, act.kind, act.goal.digest, begun)
        failure, evidence = "", ""
        try:
            evidence = await self._fleet.act(act)
        except BigredError as error:
            failure = str(error)
        except Exception as error:
            # The outermost edge of the act's task: a fault of ours must not stop the loop that
            # has other nodes in hand.
            log.exception("an act broke", node=act.node, kind=act.kind)
            failure = f"{type(error).__name__}: {error}"
        now = time.time()
        outcome = Outcome.FAILED if failure else Outcome.DONE
        async with self._db.write() as db:
            await acts.end(db, number, outcome, failure or evidence, now)
        text = f"{act.kind} {outcome} in {now - begun:.2f} s"
        seen = failure or evidence
        await self._narrator.say(
            record, AppEventType.ACT, f"{text}: {seen}" if seen else text, act.node
        )
        return failure
