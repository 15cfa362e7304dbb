"""What people ask of a rollout without a button: deploy this, hold it, take that back."""

import time
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from bigred_broker.messages import AppEventType
from bigred_server.artifacts.retention import last_good
from bigred_server.artifacts.store import Store
from bigred_server.errors import DeploymentError, ReleaseError
from bigred_server.journal import deployments, events, releases
from bigred_server.journal.database import Database
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, Stage, candidate, live_of, named
from bigred_server.requests import commands
from bigred_server.requests.begin import begin_deployment

_HISTORY = 100


async def deploy(
    db: Database, store: Store, app: str, version: str | None, who: str
) -> DeploymentRecord:
    """Have a release deployed, the candidate when no version is named.

    Raises DeploymentError or ReleaseError, and changes nothing, when that can't be.
    """
    async with db.write() as connection:
        await _refuse_while_running(connection, app)
        release = chosen(await releases.of_app(connection, app), app, version)
        return await _add(connection, store, release, who)


async def start_run(db: Database, release: Release, who: str) -> DeploymentRecord:
    """Have a run started that is done elsewhere. Raises DeploymentError while one is running."""
    async with db.write() as connection:
        await _refuse_while_running(connection, release.app)
        known = await releases.renew(connection, release)
        return await begin_deployment(connection, known.app, known.digest, who, trail={})


async def command(db: Database, app: str, command: Command, who: str) -> DeploymentRecord:
    """Give the running deployment of an app a command; give the deployment.

    Raises DeploymentError, and changes nothing, when none is running or it can't be followed.
    """
    async with db.write() as connection:
        running = await deployments.running(connection, app)
        if running is None:
            raise DeploymentError(f"no deployment of {app} is running; see: bigred history")
        await commands.give(connection, running, command, who)
        return running


async def rollback(db: Database, store: Store, app: str, who: str) -> tuple[DeploymentRecord, bool]:
    """Have the running deployment taken back, or else the last one; say whether one was running.

    The last good release needs no name. Raises DeploymentError when there is nothing to go back to.
    """
    async with db.write() as connection:
        running = await deployments.running(connection, app)
        if running is not None:
            await commands.give(connection, running, Command.ROLLBACK, who)
            return running, True
        known = await releases.of_app(connection, app)
        live = live_of(known)
        if live is None:
            raise DeploymentError(f"no release of {app} is live")
        good = last_good(known, await deployments.newest(connection, app, _HISTORY))
        if good is None:
            raise DeploymentError(_nowhere_to_go(app, known))
        return await _add(connection, store, good, who, takes_back=live.digest), False


async def clear(db: Database, app: str, name: str, who: str) -> Release:
    """Make a bad release ready again; the deployment that made it bad tells who did.

    It keeps its place in time: it is the candidate again only where it was submitted after the
    live one and nothing newer is ready. An older one may be deployed by its version, but no press
    ever goes back to it. Raises ReleaseError when it is not bad.
    """
    async with db.write() as connection:
        release = named(await releases.of_app(connection, app), app, name)
        if release.stage is not Stage.BAD:
            raise ReleaseError(
                f"{app} {release.version} is {release.stage}, not bad: there is nothing to clear"
            )
        await releases.set_stage(connection, app, release.digest, Stage.READY)
        text = f"{who} cleared {release.version}: it is ready to be deployed again"
        for record in (await deployments.of_release(connection, app, release.digest))[:1]:
            await events.add(connection, record.id, time.time(), AppEventType.FINDING, text)
        return replace(release, stage=Stage.READY)


def _nowhere_to_go(app: str, known: list[Release]) -> str:
    bad = next((release.version for release in known if release.stage is Stage.BAD), None)
    besides = f": {bad} is bad; {_how_to_clear(bad)}" if bad else ""
    return f"{app} has no earlier release to go back to{besides}"


def _how_to_clear(version: str) -> str:
    return f"clear it with: bigred release clear {version}"


async def _refuse_while_running(db: AsyncConnection, app: str) -> None:
    running = await deployments.running(db, app)
    if running is not None:
        raise DeploymentError(already_running(running))


def already_running(running: DeploymentRecord) -> str:
    """Say that no other deployment can begin while one runs."""
    what = f"deployment {running.id} of {running.app} by {running.who} is running ({running.phase})"
    if running.mends is not None:
        what += f": {commands.repair_text(running)}"
    return f"{what}; follow it with: bigred show --follow {running.id}"


def chosen(known: list[Release], app: str, version: str | None) -> Release:
    """Give the release that is to be deployed, the candidate when no version is named.

    Raises DeploymentError, or ReleaseError, when that can't be.
    """
    if version is None:
        found = candidate(known)
        if found is None:
            bad = known[0].version if known and known[0].stage is Stage.BAD else None
            besides = f": {bad} is bad; {_how_to_clear(bad)}" if bad else ""
            raise DeploymentError(f"no release of {app} is ready to be deployed{besides}")
        return found
    release = named(known, app, version)
    told = f"{app} {release.version}"
    if release.stage is Stage.LIVE:
        raise DeploymentError(f"{told} is live already")
    if release.stage is Stage.BAD:
        raise DeploymentError(f"{told} is bad: it was taken back; {_how_to_clear(release.version)}")
    if release.stage not in (Stage.READY, Stage.RETIRED):
        raise DeploymentError(f"{told} is {release.stage} and can't be deployed")
    return release


def need_war(store: Store, release: Release) -> None:
    """Raise DeploymentError unless the WAR of a release is in the store."""
    if not store.has(release.digest):
        raise DeploymentError(
            f"the WAR of {release.app} {release.version} is not in {store.folder} any more: "
            "submit it again"
        )


async def _add(
    db: AsyncConnection, store: Store, release: Release, who: str, takes_back: str | None = None
) -> DeploymentRecord:
    need_war(store, release)
    return await begin_deployment(db, release.app, release.digest, who, takes_back=takes_back)
