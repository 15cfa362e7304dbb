"""Make a restored journal safe: what it had begun, and what it might begin, is ended.

The fleet may have moved on since the backup. So nothing in a restored journal may go on or begin by
itself: no deployment, no build, no arming, no ready release of an app that deploys by itself. The
record of the restoration, one ended deployment per release, is what stops the latter.
"""

from sqlalchemy import delete, select, update

from bigred_broker.messages import AppEventType, Phase
from bigred_server.journal import actions, builds, deployments, events, releases, tables
from bigred_server.journal.connection import AsyncConnection
from bigred_server.model.build import UNDER_WAY, WAITING
from bigred_server.model.deployment import DeploymentRecord, new_deployment_id
from bigred_server.model.release import Release, Stage, live_of

WHO = "restore"


async def settle(db: AsyncConnection, backup: str, now: float) -> None:
    """End everything that was in progress; `backup` says which backup it was, for people."""
    await _end_deployments(db, backup, now)
    reason = f"the journal was restored from {backup}; submit the commit again if it is wanted"
    for table in (tables.arming, tables.answer):
        await db.execute(delete(table))
    # Not deleted: a token must never decrease.
    await db.execute(update(tables.lease).values(until=0.0))
    for app in await db.scalars(select(tables.build.c.app).distinct()):
        for build in await builds.of_app(db, app, WAITING | UNDER_WAY):
            await builds.change(db, build.id, stage=Stage.FAILED, reason=reason, ended_at=now)
    for app in await releases.apps(db):
        await _record(db, await releases.of_app(db, app), backup, now)


async def _end_deployments(db: AsyncConnection, backup: str, now: float) -> None:
    reason = f"the journal was restored from {backup}: what became of it is not known"
    query = select(tables.deployment.c.id).where(tables.deployment.c.ended_at.is_(None))
    for number in (await db.scalars(query)).all():
        await actions.end_left_open(db, number, now)
        await events.add(db, number, now, AppEventType.FINDING, reason)
        values = {"phase": Phase.FAILED, "reason": reason, "ended_at": now, "command": None}
        await deployments.change(db, number, **values)


async def _record(db: AsyncConnection, known: list[Release], backup: str, now: float) -> None:
    """Write down the restoration of one app, for the releases that could be deployed next."""
    live = live_of(known)
    since = live.submitted_at if live else float("-inf")
    ready = [one for one in known if one.stage is Stage.READY and one.submitted_at >= since]
    reason = f"the journal was restored from {backup}; deploy this release by hand if it is wanted"
    for release in ready or ([live] if live else []):
        record = DeploymentRecord(
            id=new_deployment_id(),
            app=release.app,
            digest=release.digest,
            previous=live.digest if live else None,
            who=WHO,
            started_at=now,
            phase=Phase.ABORTED,
            reason=reason if release is not live else f"the journal was restored from {backup}",
            ended_at=now,
        )
        await deployments.add(db, record)
        await events.add(db, record.id, now, AppEventType.PHASE, record.reason)
