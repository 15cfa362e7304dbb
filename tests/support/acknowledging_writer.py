"""Write to a journal what a server writes, and print each fact as soon as it is acknowledged.

    python -m tests.support.acknowledging_writer JOURNAL RUN [DEPLOYMENTS]

Boxes of several apps press at once; each press is followed by acts on two nodes, events, and the
end of the deployment. The facts are those of `journal_facts`. It goes on until it is killed; or
until each app has had so many DEPLOYMENTS, and again after closing the journal and opening it.
RUN, a number, must be another one each time.
"""

import asyncio
import itertools
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog
from tests.support.clocks import clocks
from tests.support.journal_facts import end_of, event_of, intent_of, outcome_of, press_of
from tests.support.looks import node_look

from bigred_broker.messages import Answer, AppEvent, AppEventType, BoxEvent, EventType, Phase
from bigred_server.journal import deployments, releases
from bigred_server.journal.database import Database
from bigred_server.journal.sqlite_leadership import SqliteLeadership
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage
from bigred_server.requests.preflight import FleetPreflight
from bigred_server.requests.presses import Presses
from bigred_server.rollout.core.action import Action, ActionKind
from bigred_server.rollout.core.observation import Admin, NodeLook
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.core.target import Target
from bigred_server.rollout.loop.event_log import EventLog
from bigred_server.rollout.loop.executor import Executor
from bigred_server.settings import Settings

APPS = ("shop", "blog", "wiki", "forum")
NODES = ("node1", "node2")
DIGEST = "1" * 64
# Long evidence fills the log, so that it is written back to the file now and then.
EVIDENCE = "what was seen " * 250


def told(fact: str) -> None:
    """Acknowledge a fact."""
    # Not print(): what a buffer holds would be lost with the process.
    os.write(1, f"{fact}\n".encode())


class Nodes:
    """Nodes that are up; an action may begin only once its intent is in the journal."""

    def __init__(self, deployment: str = "") -> None:
        self._deployment = deployment

    async def look(self, *, deep: bool, recent: bool = False) -> FleetLook:
        """Return a look at nodes that serve."""
        return FleetLook({name: node_look(name, Admin.READY, up=True) for name in NODES}, 1, {})

    async def act(self, action: Action) -> str:
        """Acknowledge the intent."""
        told(intent_of(self._deployment, action.node))
        return f"{action.node}: {EVIDENCE}"

    def rest(self) -> None:
        """Nothing is open."""

    async def until_changed(self, look: NodeLook) -> None:
        """Return: the next look is worth while at once."""


def published(event: AppEvent) -> None:
    """Acknowledge an event."""
    told(event_of(event.deployment or "", event.text))


async def write(
    db: Database, settings: Settings, app: str, box: str, numbers: Iterable[int]
) -> None:
    """Press the button of an app and do what follows, once for each number."""
    preflight = FleetPreflight(app, settings.fleets[app], Nodes())
    presses = Presses(settings.boxes, db, {app: preflight}, "run-1", lambda _app: None)
    events = EventLog(db, published)
    for number in numbers:
        record = await press(db, presses, box, number)
        async with asyncio.TaskGroup() as tasks:
            lead = SqliteLeadership()
            executor = Executor(db, Nodes(record.id), events, lead, tasks)
            for node in NODES:
                action = Action(ActionKind.STOP, node, Target(DIGEST, "1.1.0"))
                executor.launch(record, action, acted(record.id, node))
        await events.report(record, AppEventType.PHASE, f"{app} {number} has succeeded")
        async with db.write() as connection:
            await deployments.change(
                connection, record.id, phase=Phase.SUCCEEDED, ended_at=time.time()
            )
        told(end_of(record.id))


def acted(deployment: str, node: str) -> Callable[[str], None]:
    """Return what acknowledges the outcome of an action."""

    def done(failure: str) -> None:
        assert failure == "", failure
        told(outcome_of(deployment, node))

    return done


async def press(db: Database, presses: Presses, box: str, number: int) -> DeploymentRecord:
    """Open the lid of a box and press; return the deployment that begins."""
    lid = BoxEvent(
        event_type=EventType.LID_OPEN, id=f"lid-{number}", seq=1, boot="b-1", clocks=clocks()
    )
    armed = await presses.answer(box, lid)
    assert armed is not None
    assert armed.answer is Answer.ARMED, armed
    event = lid.model_copy(
        update={
            "event_type": EventType.PRESS,
            "id": f"press-{number}",
            "arming": armed.arming,
            "clocks": clocks(),
        }
    )
    reply = await presses.answer(box, event)
    assert reply is not None
    assert reply.answer is Answer.ACCEPTED, reply
    assert reply.deployment is not None
    told(press_of(reply.deployment, box, event.id))
    async with db.read() as connection:
        record = await deployments.find(connection, reply.deployment)
    assert record is not None
    return record


def site(run: int) -> Settings:
    """Return the settings of the apps; each has a box of this run.

    Of a box that writes run after run, the oldest answers would be tidied away.
    """
    commands = {key: ["true"] for key in ("stop", "start", "running")}
    nodes = {
        app: {
            name: {"url": f"http://{name}", "war": f"/{name}/{app}.war", **commands}
            for name in NODES
        }
        for app in APPS
    }
    haproxy, marker = {"socket": "/none", "backend": "all"}, {"path": "/"}
    return Settings.model_validate(
        {
            "server": {"state": "/none"},
            "boxes": {box_of(app, run): {"app": app} for app in APPS},
            "apps": {
                app: {"haproxy": haproxy, "marker": marker, "nodes": nodes[app]} for app in APPS
            },
        }
    )


def box_of(app: str, run: int) -> str:
    """Return the box of an app in a run."""
    return f"{app}-{run}"


async def opened(journal: Path) -> Database:
    """Open the journal as a server does that was cut off; each app has one release."""
    db = await Database.open(journal)
    async with db.write() as connection:
        for app in APPS:
            if await releases.find(connection, app, DIGEST) is None:
                release = Release(app, DIGEST, "1.1.0", "1.1.0", Stage.READY, 1.0)
                await releases.add(connection, release)
            if cut_off := await deployments.running(connection, app):
                await deployments.change(
                    connection, cut_off.id, phase=Phase.ABORTED, ended_at=time.time()
                )
    return db


async def main(journal: Path, run: int, most: int | None) -> None:
    """Write until killed, or for so many deployments of each app, twice."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    for round_ in range(2):
        db = await opened(journal)
        first = run * 1_000_000 + round_ * 1000
        numbers = itertools.count(first) if most is None else range(first, first + most)
        async with asyncio.TaskGroup() as tasks:
            for app in APPS:
                tasks.create_task(write(db, site(run), app, box_of(app, run), numbers))
        if round_ == 0:
            await db.close()
    os._exit(0)  # as if killed: the log stays


if __name__ == "__main__":
    asyncio.run(
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else None)
    )
