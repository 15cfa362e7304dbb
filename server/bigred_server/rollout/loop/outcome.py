"""An outcome, and all that follows from it for the releases, in one transaction."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_broker.messages import Phase
from bigred_server.journal import actions, deployments, releases
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage
from bigred_server.rollout.core.observation import Counters
from bigred_server.rollout.core.policy import Policy
from bigred_server.rollout.loop.receipt import receipt


async def write(
    db: AsyncConnection,
    record: DeploymentRecord,
    release: Release,
    counted: Counters,
    policy: Policy,
    taken_up: Command | None,
) -> DeploymentRecord | None:
    """Write what was decided; with an outcome go the releases' stages and the receipt.

    None, and nothing is written, when a new command came in since the decision.
    """
    if record.ended_at is not None:
        done = await actions.of_deployment(db, record.id)
        slip = receipt(record, release.version, done, counted, policy, record.ended_at)
        record = replace(record, receipt=slip)
    if not await deployments.enter(db, record, taken_up):
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
