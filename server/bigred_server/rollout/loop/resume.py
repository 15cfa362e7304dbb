"""The succession: a deployment is begun, or gone on with where an earlier server left it."""

import time
from collections.abc import Sequence

from bigred_broker.messages import AppEventType, Phase
from bigred_server.journal import acts
from bigred_server.journal.acts import ActRecord, Outcome
from bigred_server.journal.deployments import Record
from bigred_server.judge.policy import Mode
from bigred_server.rollout.core.action import Kind
from bigred_server.rollout.core.view import Orphan
from bigred_server.rollout.loop.app_state import phase_text
from bigred_server.rollout.loop.context import Means
from bigred_server.rollout.loop.deployment_run import Course
from bigred_server.rollout.loop.evaluation import Hearing
from bigred_server.rollout.loop.evaluator import Jury
from bigred_server.rollout.loop.executor import Executor
from bigred_server.rollout.loop.request_counter import Count


async def take_up(record: Record, version: str, means: Means, executor: Executor) -> Course:
    """Begin with a deployment, or go on with one that an earlier server began."""
    async with means.db.write() as db:
        await executor.lead.fence(db)
        await acts.end_left_open(db, record.id, time.time())
        orphans = _orphans(await acts.of_deployment(db, record.id), means.policy.start_s)
    if record.phase is Phase.PREPARING:
        text = phase_text(record.phase, version, 0, f"{record.who} asked for it")
        await means.narrator.say(record, AppEventType.PHASE, text)
    else:
        text = "the server is back and goes on from what it sees"
        await means.narrator.say(record, AppEventType.FINDING, text)
    count = Count.of(record, means.db, executor.lead, means.narrator)
    hearing = _hearing(record, means, executor)
    return Course(record.id, means, executor, count, hearing, orphans)


def _orphans(done: Sequence[ActRecord], start_s: float) -> dict[str, Orphan]:
    """Name what the Managers may still be about, told by a server that is no more."""
    ago_s = time.monotonic() - time.time()
    return {
        act.node: Orphan(act.digest, act.begun_at + start_s + ago_s)
        for act in done
        if act.kind == Kind.DEPLOY and act.outcome == Outcome.UNKNOWN
    }


def _hearing(record: Record, means: Means, executor: Executor) -> Hearing | None:
    """Call a jury, or the one of an earlier server again; none for a node that is mended."""
    policy = means.policy.judge
    if policy.mode is Mode.OFF or record.mends is not None:
        return None
    jury = Jury.sworn(policy, means.witness, record.evidence, record.judgement)
    return Hearing(jury, means.db, executor.lead, means.narrator)
