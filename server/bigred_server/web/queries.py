"""The read-only routes."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query

from bigred_broker.messages import AppState
from bigred_server.journal import actions, deployments, events, releases
from bigred_server.rollout.loop.app_state import app_state
from bigred_server.web.context import ApiContext, InContext, KnownApp, ViewerCaller
from bigred_server.web.models import Apps, DeploymentShown, ReleaseShown, WholeDeployment

router = APIRouter()


@router.get("/apps")
async def list_apps(context: InContext, _: ViewerCaller) -> Apps:
    """List the apps."""
    return Apps(apps=list(context.settings.apps))


@router.get("/apps/{app}", response_model_exclude_none=True)
async def show_app(app: KnownApp, context: InContext, _: ViewerCaller) -> AppState:
    """Return the state of an app, as published over MQTT.

    With several servers, only the one that leads the app includes its nodes.
    """
    return context.state_of(app) or await _state_from_journal(app, context)


async def _state_from_journal(app: str, context: ApiContext) -> AppState:
    async with context.db.read() as db:
        known = await releases.of_app(db, app)
        last = next(iter(await deployments.newest(db, app, 1)), None)
    state = app_state(app, last, known, {}, None)
    # The progress, too, is known only to the server that observes the nodes.
    return state.model_copy(update={"progress": None})


@router.get("/apps/{app}/releases")
async def list_releases(
    app: KnownApp,
    context: InContext,
    _: ViewerCaller,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ReleaseShown]:
    """List the releases of an app, newest first."""
    async with context.db.read() as db:
        known = (await releases.of_app(db, app))[:limit]

    def shown() -> list[ReleaseShown]:
        return [ReleaseShown.of(each, kept=context.store.has(each.digest)) for each in known]

    return await asyncio.to_thread(shown)


@router.get("/apps/{app}/deployments")
async def list_deployments(
    app: KnownApp,
    context: InContext,
    _: ViewerCaller,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
    mends: bool = False,
) -> list[DeploymentShown]:
    """List the deployments of an app, newest first; `mends` includes single-node repairs."""
    async with context.db.read() as db:
        found = await deployments.newest(db, app, limit, mends=mends)
        known = await releases.of_app(db, app)
    versions = {(release.app, release.digest): release.version for release in known}
    return [DeploymentShown.of(record, versions) for record in found]


@router.get("/deployments/{deployment}")
async def show_deployment(deployment: str, context: InContext, _: ViewerCaller) -> WholeDeployment:
    """Return a deployment with its events and acts, and its receipt once it has ended."""
    async with context.db.read() as db:
        record = await deployments.find(db, deployment)
        if record is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"no deployment {deployment!r}")
        happened = await events.of_deployment(db, record.id)
        done = await actions.of_deployment(db, record.id)
        release = await releases.find(db, record.app, record.digest)
    versions = {(record.app, record.digest): release.version} if release else {}
    return WholeDeployment.whole(record, versions, happened, done)
