"""The routes that receive commits, list builds, and promote or reject tested releases."""

import time
from http import HTTPStatus
from typing import Annotated

import structlog
from fastapi import APIRouter, HTTPException, Query, Request

from bigred_server.journal import builds
from bigred_server.model.pushed_commit import PushedCommit
from bigred_server.pipeline import submissions
from bigred_server.pipeline.webhook import Forge, pushed
from bigred_server.pipeline.webhook_signature import is_genuine
from bigred_server.web.context import ApiContext, InContext, KnownApp, OperatorCaller, ViewerCaller
from bigred_server.web.models import BuildShown, Commits, ReleaseShown, SubmittedBuilds

log = structlog.get_logger(__name__)

router = APIRouter()
# The senders of these requests have no token; they sign them.
signed = APIRouter()


@router.post("/apps/{app}/commits", status_code=HTTPStatus.ACCEPTED)
async def submit_commits(
    app: KnownApp, context: InContext, _: OperatorCaller, commits: Commits
) -> SubmittedBuilds:
    """Submit pushed commits; the answer comes at once, and the build starts in its turn."""
    given = [PushedCommit(one.branch, one.commit, one.who) for one in commits.commits]
    return await _submit(context, app, given)


@signed.post("/apps/{app}/webhooks/{forge}", status_code=HTTPStatus.ACCEPTED)
async def receive_webhook(
    app: KnownApp, forge: Forge, context: InContext, request: Request
) -> SubmittedBuilds:
    """Receive a webhook of GitHub, GitLab, Gitea or Forgejo: JSON, or a form with it in `payload`.

    Refuse it if the signature is wrong. Anything but a push to a branch is ignored.
    """
    body = await request.body()
    if not is_genuine(forge, _secret(context, app), request.headers, body, time.time()):
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "the signature does not match the secret")
    found = pushed(forge, request.headers, body)
    if found is None:
        return SubmittedBuilds(builds=[], text="ignored: not a push to a branch")
    return await _submit(context, app, [found])


@router.get("/apps/{app}/builds")
async def list_builds(
    app: KnownApp,
    context: InContext,
    _: ViewerCaller,
    limit: Annotated[int, Query(ge=1, le=500)] = 20,
) -> list[BuildShown]:
    """List the builds of an app, newest first."""
    async with context.db.read() as db:
        found = await builds.of_app(db, app, limit=limit)
    return [BuildShown.of(one) for one in found]


@router.post("/apps/{app}/releases/{version:path}/promote")
async def promote(
    app: KnownApp, version: str, context: InContext, caller: OperatorCaller
) -> ReleaseShown:
    """Make a tested release ready."""
    release = await submissions.promote(context.db, app, version)
    log.info("release promoted", app=app, version=release.version, who=caller.name)
    context.wake(app)
    return ReleaseShown.of(release, kept=context.store.has(release.digest))


@router.post("/apps/{app}/releases/{version:path}/reject")
async def reject(
    app: KnownApp, version: str, context: InContext, caller: OperatorCaller
) -> ReleaseShown:
    """Make a tested release failed."""
    release = await submissions.reject(context.db, app, version)
    log.info("release rejected", app=app, version=release.version, who=caller.name)
    return ReleaseShown.of(release, kept=context.store.has(release.digest))


async def _submit(context: ApiContext, app: str, given: list[PushedCommit]) -> SubmittedBuilds:
    found, text = await submissions.submit_commits(
        context.db, app, context.settings.fleet_of(app), given
    )
    log.info("commits submitted", app=app, builds=[one.number for one in found])
    context.wake(app)
    return SubmittedBuilds(builds=[BuildShown.of(one) for one in found], text=text)


def _secret(context: ApiContext, app: str) -> str:
    build = context.settings.fleet_of(app).build
    file = build.webhook_secret_file if build else None
    try:
        return file.read_text(encoding="utf-8").strip() if file else ""
    except OSError as error:
        log.warning("can't read the webhook secret", app=app, reason=str(error))
        return ""
