"""The pages for people who followed a link: no token is needed, for the link has a key."""

import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from bigred_server.journal import api_tokens, deployments, events, releases
from bigred_server.model import receipt_link
from bigred_server.web import receipt_page
from bigred_server.web.context import InContext

router = APIRouter(include_in_schema=False)


@router.api_route(f"{receipt_link.PAGES}/{{deployment}}", methods=["GET", "HEAD"])
async def show_page(
    deployment: str, context: InContext, key: Annotated[str, Query()] = ""
) -> HTMLResponse:
    """Return the page of a deployment to who has the link from a notice."""
    refusal = HTMLResponse(
        receipt_page.refused(), HTTPStatus.NOT_FOUND, headers=receipt_page.HEADERS
    )
    async with context.db.read() as db:
        if not receipt_link.opens(await api_tokens.link_secret(db), deployment, key):
            return refusal
        record = await deployments.find(db, deployment)
        if record is None:
            return refusal
        happened = await events.of_deployment(db, record.id)
        release = await releases.find(db, record.app, record.digest)
    version = release.version if release else record.digest[:12]
    page = receipt_page.of_deployment(record, version, happened, time.time())
    return HTMLResponse(page, headers=receipt_page.HEADERS)
