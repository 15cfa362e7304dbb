"""Requests of people without a button: deploy a release, give a command, roll back, clear."""

import time
from dataclasses import replace

from bigred_broker.messages import AppEventType
from bigred_server.artifacts.store import Store
from bigred_server.errors import DeploymentError, ReleaseError
from bigred_server.journal import deployments, events, releases
from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.database import Database
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.last_good import last_good
from bigred_server.model.release import Release, Stage, candidate, live_of, named
from bigred_server.requests import commands
from bigred_server.requests.begin import begin_deployment

_HISTORY = 100


async def deploy(
    db: Database, store: Store, app: str, version: str | None, who: str
) -> DeploymentRecord:
    """Begin the deployment of a release, or of the candidate if no version is given.

    Raise DeploymentError or ReleaseError, and change nothing, if that is impossible.
    """
    async with db.write() as connection:
        await _refuse_while_running(connection, app)
        release = chosen(await releases.of_app(connection, app), app, version)
        return await _add(connection, store, release, who)


async def start_run(db: Database, release: Release, who: str) -> DeploymentRecord:
    """Begin a run of a Jenkins job. Raise DeploymentError if a deployment is running."""
    async with db.write() as connection:
        await _refuse_while_running(connection, release.app)
        known = await releases.renew(connection, release)
        return await begin_deployment(connection, known.app, known.digest, who, trail={})


async def command(db: Database, app: str, command: Command, who: str) -> DeploymentRecord:
    """Give the running deployment of an app a command; return the deployment.

    Raise DeploymentError, and change nothing, if none is running or the command can't be followed.
    """
    async with db.write() as connection:
        running = await deployments.running(connection, app)
        if running is None:
            raise DeploymentError(f"no deployment of {app} is running; see: bigred history")
        await commands.give(connection, running, command, who)
        return running


async def rollback(db: Database, store: Store, app: str, who: str) -> tuple[DeploymentRecord, bool]:
    """Roll back the running deployment or else the live release; return whether one was running.

    The target is the last good release. Raise DeploymentError if there is none.
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
            raise DeploymentError(_no_rollback_target(app, known))
        return await _add(connection, store, good, who, takes_back=live.digest), False


async def clear(db: Database, app: str, name: str, who: str) -> Release:
    """Make a bad release ready again; an event of the deployment that made it bad records by whom.

    It keeps its place in time: it becomes the candidate only if it was submitted after the live
    release and nothing newer is ready. An older one can be deployed by its version, but no press
    ever goes back to it. Raise ReleaseError if it is not bad.
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


def _no_rollback_target(app: str, known: list[Release]) -> str:
    bad = next((release.version for release in known if release.stage is Stage.BAD), None)
    hint = f": {bad} is bad; {_how_to_clear(bad)}" if bad else ""
    return f"{app} has no earlier release to roll back to{hint}"


def _how_to_clear(version: str) -> str:
    return f"clear it with: bigred release clear {version}"


async def _refuse_while_running(db: AsyncConnection, app: str) -> None:
    running = await deployments.running(db, app)
    if running is not None:
        raise DeploymentError(already_running(running))


def already_running(running: DeploymentRecord) -> str:
    """Return the error that no other deployment can begin while one is running."""
    what = f"deployment {running.id} of {running.app} by {running.who} is running ({running.phase})"
    if running.mends is not None:
        what += f": {commands.repair_text(running)}"
    return f"{what}; follow it with: bigred show --follow {running.id}"


def chosen(known: list[Release], app: str, version: str | None) -> Release:
    """Return the release to deploy: the one with this version, or the candidate if it is None.

    Raise DeploymentError or ReleaseError if it can't be deployed.
    """
    if version is None:
        found = candidate(known)
        if found is None:
            bad = known[0].version if known and known[0].stage is Stage.BAD else None
            hint = f": {bad} is bad; {_how_to_clear(bad)}" if bad else ""
            raise DeploymentError(f"no release of {app} is ready to be deployed{hint}")
        return found
    release = named(known, app, version)
    title = f"{app} {release.version}"
    if release.stage is Stage.LIVE:
        raise DeploymentError(f"{title} is already live")
    if release.stage is Stage.BAD:
        raise DeploymentError(
            f"{title} is bad: it was rolled back; {_how_to_clear(release.version)}"
        )
    if release.stage not in (Stage.READY, Stage.RETIRED):
        raise DeploymentError(f"{title} is {release.stage} and can't be deployed")
    return release


def need_war(store: Store, release: Release) -> None:
    """Raise DeploymentError unless the WAR of a release is in the store."""
    if not store.has(release.digest):
        raise DeploymentError(
            f"the WAR of {release.app} {release.version} is no longer in {store.folder}: "
            "submit it again"
        )


async def _add(
    db: AsyncConnection, store: Store, release: Release, who: str, takes_back: str | None = None
) -> DeploymentRecord:
    need_war(store, release)
    return await begin_deployment(db, release.app, release.digest, who, takes_back=takes_back)
