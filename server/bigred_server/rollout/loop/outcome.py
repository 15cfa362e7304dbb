"""Write an outcome, and all its consequences for the releases, in one transaction."""

from dataclasses import replace

from bigred_broker.messages import Phase
from bigred_server.journal import actions, deployments, releases
from bigred_server.journal.connection import AsyncConnection
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage
from bigred_server.rollout.core.policy import Policy
from bigred_server.rollout.loop.receipt import receipt
from bigred_server.rollout.loop.request_counter import Counted


async def write(
    db: AsyncConnection,
    record: DeploymentRecord,
    release: Release,
    counted: Counted,
    policy: Policy,
    followed: Command | None,
) -> DeploymentRecord | None:
    """Write a decision, and for an outcome also the releases' stages and the receipt.

    Write nothing and return None if a new command was given since the decision; `followed`: the
    command that the decision was made with.
    """
    if record.ended_at is not None:
        done = await actions.of_deployment(db, record.id)
        made = receipt(record, release.version, done, counted, policy, record.ended_at)
        record = replace(record, receipt=made)
    if not await deployments.enter(db, record, followed):
        return None
    if record.ended_at is not None and record.mends is None:
        await _settle(db, record)
    return record


async def _settle(db: AsyncConnection, record: DeploymentRecord) -> None:
    app = record.app
    if record.phase is Phase.SUCCEEDED:
        await releases.make_live(db, app, record.digest)
        if record.takes_back is not None:
            await releases.set_stage(db, app, record.takes_back, Stage.BAD)
        return
    if record.phase is Phase.ABORTED:
        return
    if record.previous is not None:
        await releases.make_live(db, app, record.previous)
    if record.blames_build:
        await releases.set_stage(db, app, record.digest, Stage.BAD)
