"""The routes by which commits come in, and what became of them is told."""

from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, HTTPException, Query, Request

from bigred_server.journal import builds
from bigred_server.pipeline import submissions, webhook
from bigred_server.pipeline.submissions import Pushed
from bigred_server.pipeline.webhook import Forge
from bigred_server.web.context import House, InHouse, KnownApp, Operator, Viewer
from bigred_server.web.models import BuildShown, Commits, HandedIn, ReleaseShown

log = structlog.get_logger(__name__)

router = APIRouter()
# Whoever sends these has no token: they are signed.
signed = APIRouter()


@router.post("/apps/{app}/commits", status_code=HTTPStatus.ACCEPTED)
async def hand_in(app: KnownApp, house: InHouse, _: Operator, commits: Commits) -> HandedIn:
    """Hand in what was pushed; the answer comes at once, and the build when it is its turn."""
    pushed = [Pushed(one.branch, one.commit, one.who) for one in commits.commits]
    return await _hand_in(house, app, pushed)


@signed.post("/apps/{app}/webhooks/{forge}", status_code=HTTPStatus.ACCEPTED)
async def take_webhook(app: KnownApp, forge: Forge, house: InHouse, request: Request) -> HandedIn:
    """Take a push webhook of GitHub, GitLab or Gitea, if its signature is right."""
    body = await request.body()
    if not webhook.is_genuine(forge, _secret(house, app), request.headers, body):
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "the signature is not that of our secret")
    pushed = webhook.pushed(forge, request.headers, body)
    if pushed is None:
        return HandedIn(builds=[], text="this is no push to a branch: nothing is done")
    return await _hand_in(house, app, [pushed])


@router.get("/apps/{app}/builds")
async def list_builds(
    app: KnownApp, house: InHouse, _: Viewer, limit: Annotated[int, Query(ge=1, le=500)] = 20
) -> list[BuildShown]:
    """List the builds, the newest first."""
    async with house.db.read() as db:
        found = await builds.of_app(db, app, limit=limit)
    return [BuildShown.of(one) for one in found]


@router.post("/apps/{app}/releases/{version:path}/promote")
async def promote(app: KnownApp, version: str, house: InHouse, caller: Operator) -> ReleaseShown:
    """Make a tested release ready."""
    release = await submissions.promote(house.db, app, version)
    log.info("promoted a release", app=app, version=release.version, who=caller.name)
    house.wake(app)
    return ReleaseShown.of(release, kept=house.store.has(release.digest))


@router.post("/apps/{app}/releases/{version:path}/reject")
async def reject(app: KnownApp, version: str, house: InHouse, caller: Operator) -> ReleaseShown:
    """Have a tested release go no further."""
    release = await submissions.reject(house.db, app, version)
    log.info("rejected a release", app=app, version=release.version, who=caller.name)
    return ReleaseShown.of(release, kept=house.store.has(release.digest))


async def _hand_in(house: House, app: str, pushed: list[Pushed]) -> HandedIn:
    found, text = await submissions.hand_in(house.db, app, house.settings.fleet_of(app), pushed)
    log.info("commits were handed in", app=app, builds=[one.number for one in found])
    house.wake(app)
    return HandedIn(builds=[BuildShown.of(one) for one in found], text=text)


def _secret(house: House, app: str) -> str:
    build = house.settings.fleet_of(app).build
    file = build.webhook_secret_file if build else None
    try:
        return file.read_text(encoding="utf-8").strip() if file else ""
    except OSError as error:
        log.warning("the secret of webhooks can't be read", app=app, reason=str(error))
        return ""
