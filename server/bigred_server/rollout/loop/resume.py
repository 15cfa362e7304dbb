"""Begin a deployment, or resume one where an earlier server left it."""

from collections.abc import Sequence

from bigred_broker.messages import AppEventType, Phase
from bigred_server.journal import actions
from bigred_server.judge.policy import Mode
from bigred_server.model.action_record import ActionRecord, Outcome
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.rollout.core.action import ActionKind
from bigred_server.rollout.core.phase_text import phase_text
from bigred_server.rollout.core.view import Orphan
from bigred_server.rollout.loop.context import RunContext
from bigred_server.rollout.loop.deployment_run import DeploymentRun
from bigred_server.rollout.loop.evaluation import Evaluation
from bigred_server.rollout.loop.evaluator import Evaluator
from bigred_server.rollout.loop.executor import Executor
from bigred_server.rollout.loop.request_counter import RequestCounter

JOURNAL_BACK = "the journal can be written again; the deployment continues from what is observed"


async def resume(
    record: DeploymentRecord, version: str, context: RunContext, executor: Executor
) -> DeploymentRun:
    """Begin a deployment, or resume one that an earlier server or a full disk interrupted."""
    async with context.db.write() as db:
        await executor.lead.fence(db)
        await actions.end_left_open(db, record.id, context.clock.unix())
        orphans = _orphans(await actions.of_deployment(db, record.id), context)
    if executor.is_cut_off:
        await context.events.report(record, AppEventType.FINDING, JOURNAL_BACK)
    elif record.phase is Phase.PREPARING:
        text = phase_text(record.phase, version, 0, f"{record.who} asked for it")
        await context.events.report(record, AppEventType.PHASE, text)
    else:
        text = "the server is back and continues from what it observes"
        await context.events.report(record, AppEventType.FINDING, text)
    count = RequestCounter.of(record, context.db, executor.lead, context.events)
    evaluation = _evaluation(record, context, executor)
    return DeploymentRun(record.id, context, executor, count, evaluation, orphans)


def _orphans(done: Sequence[ActionRecord], context: RunContext) -> dict[str, Orphan]:
    """Return what the Managers may still be doing on behalf of a server that died."""
    ago_s = context.clock.monotonic() - context.clock.unix()
    start_s = context.policy.start_s
    return {
        action.node: Orphan(action.digest, action.begun_at + start_s + ago_s)
        for action in done
        if action.kind == ActionKind.DEPLOY and action.outcome == Outcome.UNKNOWN
    }


def _evaluation(
    record: DeploymentRecord, context: RunContext, executor: Executor
) -> Evaluation | None:
    """Begin or resume the evaluation; None if the judge is off, and for a repair."""
    policy = context.policy.judge
    if policy.mode is Mode.OFF or record.mends is not None:
        return None
    evaluator = Evaluator.restored(policy, context.telemetry, record.evidence, record.judgement)
    return Evaluation(evaluator, context.db, executor.lead, context.events)
