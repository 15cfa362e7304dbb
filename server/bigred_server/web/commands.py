"""The routes that start or change something on behalf of the token's owner."""

from http import HTTPStatus

import structlog
from fastapi import APIRouter

from bigred_server.journal import releases
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.requests import deploy as requests
from bigred_server.requests.job_preflight import start
from bigred_server.web.context import AdminCaller, ApiContext, InContext, KnownApp, OperatorCaller
from bigred_server.web.models import CommandRequest, DeploymentShown, DeployRequest, ReleaseShown

log = structlog.get_logger(__name__)

router = APIRouter()


@router.post("/apps/{app}/deployments", status_code=HTTPStatus.ACCEPTED)
async def deploy(
    app: KnownApp, context: InContext, caller: OperatorCaller, request: DeployRequest | None = None
) -> DeploymentShown:
    """Start to deploy a release: the one named, or else the newest ready one.

    If Jenkins deploys the app, this starts the next run of its job.
    """
    version = request.version if request else None
    if app in context.jobs:
        record = await start(context.db, context.jobs[app], version, caller.name)
    else:
        record = await requests.deploy(context.db, context.store, app, version, caller.name)
    log.info("deployment requested", app=app, deployment=record.id, who=caller.name)
    context.wake(app)
    return await _shown(context, record)


@router.post("/apps/{app}/commands", status_code=HTTPStatus.ACCEPTED)
async def command(
    app: KnownApp, context: InContext, caller: OperatorCaller, request: CommandRequest
) -> DeploymentShown:
    """Send a command to the running deployment.

    If no deployment is running, `rollback` starts one that restores the last good release.
    """
    who = caller.name
    if request.command is Command.ROLLBACK and app not in context.jobs:
        record, _ = await requests.rollback(context.db, context.store, app, who)
    else:
        record = await requests.command(context.db, app, request.command, who)
    log.info("command sent", app=app, deployment=record.id, command=request.command, who=who)
    context.wake(app)
    return await _shown(context, record)


@router.post("/apps/{app}/releases/{version:path}/clear")
async def clear(
    app: KnownApp, version: str, context: InContext, caller: AdminCaller
) -> ReleaseShown:
    """Make a bad release ready again."""
    release = await requests.clear(context.db, app, version, caller.name)
    log.info("release cleared", app=app, version=release.version, who=caller.name)
    context.wake(app)
    return ReleaseShown.of(release, kept=context.store.has(release.digest))


async def _shown(context: ApiContext, record: DeploymentRecord) -> DeploymentShown:
    async with context.db.read() as db:
        release = await releases.find(db, record.app, record.digest)
    versions = {(record.app, record.digest): release.version} if release else {}
    return DeploymentShown.of(record, versions)
