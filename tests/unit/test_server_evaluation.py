"""The judge's words in a deployment's events: each is said once, and every number is kept."""

import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.support.telemetry import FakeTelemetry
from tests.support.views import ON_NEW, ON_OLD, deployment

from bigred_broker.messages import AppEvent, AppEventType, Phase
from bigred_server.journal import deployments, events
from bigred_server.journal.database import Database
from bigred_server.journal.sqlite_leadership import SqliteLeadership
from bigred_server.judge.look import Arm, Look, Pair
from bigred_server.judge.policy import JudgePolicy, Mode
from bigred_server.rollout.core import verdict_text
from bigred_server.rollout.core.ports import FleetLook
from bigred_server.rollout.loop.evaluation import Evaluation
from bigred_server.rollout.loop.evaluator import Evaluator
from bigred_server.rollout.loop.event_log import EventLog

POLICY = JudgePolicy(mode=Mode.ROLLBACK)
GOING = deployment(Phase.CANARY)
FLEET = FleetLook({"a": replace(ON_NEW, name="a"), "b": replace(ON_OLD, name="b")}, 1, {})
# Nobody asks the new release for anything; the old one answers on.
QUIET = Look(0.0, 5.0, Pair(Arm(), Arm(60, 60, 0)), answered_old=60)
FEW = Look(0.0, 5.0, Pair(Arm(2, 2, 0), Arm(6, 6, 0)), answered=2, answered_old=6)


@dataclass
class Hearing:
    """An evaluation with a journal of its own, and the events that it published."""

    db: Database
    published: list[AppEvent]

    def evaluation(self, *looks: Look, judged: dict[str, object] | None = None) -> Evaluation:
        telemetry = FakeTelemetry(deque(looks))
        evaluator = Evaluator.restored(POLICY, telemetry, None, judged)
        log = EventLog(self.db, self.published.append)
        return Evaluation(evaluator, self.db, SqliteLeadership(), log)

    async def run(self, evaluation: Evaluation, times: int) -> None:
        for _ in range(times):
            await evaluation.evaluate(GOING.record, GOING, FLEET)

    async def texts(self) -> list[str]:
        async with self.db.read() as connection:
            found = await events.of_deployment(connection, GOING.record.id)
        assert [one.text for one in found] == [one.text for one in self.published]
        assert {one.kind for one in found} <= {AppEventType.VERDICT}
        return [one.text for one in found]


@pytest.fixture
async def hearing(tmp_path: Path) -> AsyncIterator[Hearing]:
    db = await Database.open(tmp_path / "bigred.db")
    async with db.write() as connection:
        await deployments.add(connection, replace(GOING.record, started_at=time.time()))
    yield Hearing(db, [])
    await db.close()


async def test_that_nobody_has_asked_for_anything_is_said_once(hearing: Hearing) -> None:
    evaluation = hearing.evaluation(*[QUIET] * 5)
    await hearing.run(evaluation, 5)
    [text] = await hearing.texts()
    assert text.startswith("judge: inconclusive: 0 of 0 requests failed on the new release")
    # The journal has the newest numbers all the same.
    async with hearing.db.read() as connection:
        record = await deployments.find(connection, GOING.record.id)
    assert record is not None
    assert record.judgement is not None
    assert record.judgement["requests_old"] == 300


async def test_every_new_number_of_the_new_release_is_said(hearing: Hearing) -> None:
    evaluation = hearing.evaluation(QUIET, FEW, QUIET, QUIET, FEW)
    await hearing.run(evaluation, 5)
    counts = [text.partition(" requests")[0] for text in await hearing.texts()]
    assert counts == [f"judge: inconclusive: 0 of {count}" for count in (0, 2, 4)]


async def test_the_next_server_does_not_say_it_again(hearing: Hearing) -> None:
    first = hearing.evaluation(QUIET)
    await hearing.run(first, 1)
    assert first.judgement is not None
    judged = verdict_text.to_json(first.judgement)
    await hearing.run(hearing.evaluation(QUIET, judged=judged), 1)
    assert len(await hearing.texts()) == 1
