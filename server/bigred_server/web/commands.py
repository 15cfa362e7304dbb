"""The routes that ask for something: the token's owner is who asked for it."""

from http import HTTPStatus

import structlog
from fastapi import APIRouter

from bigred_server.jenkins.preflight import start
from bigred_server.journal import releases
from bigred_server.journal.deployments import Record
from bigred_server.model.command import Command
from bigred_server.requests import deploy as requests
from bigred_server.web.context import Admin, House, InHouse, KnownApp, Operator
from bigred_server.web.models import DeploymentShown, Order, ReleaseShown, Wish

log = structlog.get_logger(__name__)

router = APIRouter()


@router.post("/apps/{app}/deployments", status_code=HTTPStatus.ACCEPTED)
async def deploy(
    app: KnownApp, house: InHouse, caller: Operator, wish: Wish | None = None
) -> DeploymentShown:
    """Begin to make a release live: the one named, or else the newest ready one.

    Of an app that Jenkins deploys it is the next run of its job.
    """
    version = wish.version if wish else None
    if app in house.jobs:
        record = await start(house.db, house.jobs[app], version, caller.name)
    else:
        record = await requests.deploy(house.db, house.store, app, version, caller.name)
    log.info("asked for a deployment", app=app, deployment=record.id, who=caller.name)
    house.wake(app)
    return await _shown(house, record)


@router.post("/apps/{app}/commands", status_code=HTTPStatus.ACCEPTED)
async def command(app: KnownApp, house: InHouse, caller: Operator, order: Order) -> DeploymentShown:
    """Give the running deployment a command.

    A rollback is done without one, too: a new deployment goes back to the last good release.
    """
    who = caller.name
    if order.command is Command.ROLLBACK and app not in house.jobs:
        record, _ = await requests.rollback(house.db, house.store, app, who)
    else:
        record = await requests.command(house.db, app, order.command, who)
    log.info("gave a command", app=app, deployment=record.id, command=order.command, who=who)
    house.wake(app)
    return await _shown(house, record)


@router.post("/apps/{app}/releases/{version:path}/clear")
async def clear(app: KnownApp, version: str, house: InHouse, caller: Admin) -> ReleaseShown:
    """Make a bad release ready again."""
    release = await requests.clear(house.db, app, version, caller.name)
    log.info("cleared a release", app=app, version=release.version, who=caller.name)
    house.wake(app)
    return ReleaseShown.of(release, kept=house.store.has(release.digest))


async def _shown(house: House, record: Record) -> DeploymentShown:
    async with house.db.read() as db:
        release = await releases.find(db, record.app, record.digest)
    versions = {(record.app, record.digest): release.version} if release else {}
    return DeploymentShown.of(record, versions)
