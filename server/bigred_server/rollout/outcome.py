"""An outcome, and all that follows from it for the releases, in one transaction."""

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_broker.messages import Phase
from bigred_server.journal import acts, deployments, releases
from bigred_server.journal.deployments import Record
from bigred_server.release import Release, Stage
from bigred_server.rollout.decide import Decision
from bigred_server.rollout.look import Counters
from bigred_server.rollout.receipt import receipt


def entered(record: Record, decision: Decision, now: float) -> Record:
    """Give the record in the phase that was decided; `now` is Unix time."""
    # Whoever asked for an abort said why.
    asked = record.reason if decision.phase is Phase.ABORTED else ""
    return replace(
        record,
        phase=decision.phase,
        reason=asked or decision.reason or record.reason,
        blames_build=record.blames_build or decision.blames_build,
        nodes=record.nodes if decision.nodes is None else decision.nodes,
        skipped=record.skipped if decision.skipped is None else decision.skipped,
        ended_at=now if decision.phase.is_outcome else None,
    )


async def write(db: AsyncConnection, record: Record, release: Release, counted: Counters) -> None:
    """Write a phase just entered; with an outcome go the releases' stages and the receipt."""
    slip = record.receipt
    if record.ended_at is not None:
        await _settle(db, record)
        done = await acts.of_deployment(db, record.id)
        slip = receipt(record, release.version, done, counted, record.ended_at)
    await deployments.change(
        db,
        record.id,
        phase=record.phase,
        reason=record.reason,
        blames_build=record.blames_build,
        nodes=list(record.nodes),
        skipped=list(record.skipped),
        ended_at=record.ended_at,
        receipt=slip,
    )


async def _settle(db: AsyncConnection, record: Record) -> None:
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
