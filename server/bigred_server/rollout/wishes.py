"""What people ask of a rollout without a button: deploy this, take that back."""

import time

from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_broker.messages import Phase
from bigred_server.errors import DeploymentError
from bigred_server.journal import deployments, releases
from bigred_server.journal.database import Database
from bigred_server.journal.deployments import Record
from bigred_server.release import Release, Stage, candidate
from bigred_server.rollout.command import Command

_HISTORY = 100


async def deploy(db: Database, app: str, version: str | None, who: str) -> Record:
    """Have a release deployed, the candidate when no version is named.

    Raises DeploymentError, and changes nothing, when that can't be.
    """
    async with db.write() as connection:
        await _refuse_while_running(connection, app)
        release = _choose(await releases.of_app(connection, app), app, version)
        return await _add(connection, release, who)


async def rollback(db: Database, app: str, who: str) -> tuple[Record, bool]:
    """Have the running deployment taken back, or else the last one; say whether one was running.

    The last good release needs no name. Raises DeploymentError when there is nothing to go back to.
    """
    async with db.write() as connection:
        running = await deployments.running(connection, app)
        if running is not None:
            await deployments.change(connection, running.id, command=Command.ROLLBACK)
            return running, True
        known = await releases.of_app(connection, app)
        live = next((r for r in known if r.stage is Stage.LIVE), None)
        if live is None:
            raise DeploymentError(f"no release of {app} is live")
        history = await deployments.newest(connection, app, _HISTORY)
        good = _last_good(live, history, known)
        if good is None:
            raise DeploymentError(f"{app} has no earlier release to go back to")
        return await _add(connection, good, who, takes_back=live.digest), False


def _last_good(live: Release, history: list[Record], known: list[Release]) -> Release | None:
    """Find what was live before the live release, leaving out what has become bad since."""
    retired = {release.digest: release for release in known if release.stage is Stage.RETIRED}
    for record in history:
        if record.phase is Phase.SUCCEEDED and record.digest == live.digest:
            if record.previous in retired:
                return retired[record.previous]
            break
    newest = sorted(retired.values(), key=lambda release: release.submitted_at)
    return newest[-1] if newest else None


async def _refuse_while_running(db: AsyncConnection, app: str) -> None:
    running = await deployments.running(db, app)
    if running is not None:
        raise DeploymentError(
            f"deployment {running.id} of {app} by {running.who} is running "
            f"({running.phase}); follow it with: bigred show --follow {running.id}"
        )


def _choose(known: list[Release], app: str, version: str | None) -> Release:
    if version is None:
        found = candidate(known)
        if found is None:
            raise DeploymentError(f"no release of {app} is ready to be deployed")
        return found
    release = next((r for r in known if r.version == version), None)
    if release is None:
        versions = ", ".join(r.version for r in known[:10]) or "none"
        raise DeploymentError(f"there is no {app} {version}; there is: {versions}")
    if release.stage is Stage.LIVE:
        raise DeploymentError(f"{app} {version} is live already")
    if release.stage not in (Stage.READY, Stage.RETIRED):
        raise DeploymentError(f"{app} {version} is {release.stage} and can't be deployed")
    return release


async def _add(
    db: AsyncConnection, release: Release, who: str, takes_back: str | None = None
) -> Record:
    record = Record(
        id=deployments.new_id(),
        app=release.app,
        digest=release.digest,
        previous=None,
        who=who,
        started_at=time.time(),
        takes_back=takes_back,
    )
    await deployments.add(db, record)
    return record
