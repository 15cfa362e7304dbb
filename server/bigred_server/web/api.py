"""Build the HTTP API; `serve` serves it."""

from collections.abc import Callable, Mapping
from typing import Any  # an OpenAPI document is JSON

from fastapi import FastAPI, Request, Security
from fastapi.security import HTTPBearer

from bigred_broker.messages import AppState
from bigred_server.artifacts.store import Store
from bigred_server.journal.database import Database
from bigred_server.requests.job_preflight import JobPreflight
from bigred_server.settings import Settings
from bigred_server.web import builds, commands, pages, queries
from bigred_server.web.auth import HEALTH, AuthMiddleware
from bigred_server.web.context import ApiContext, ViewerCaller
from bigred_server.web.errors import DOCUMENTED, add_error_handlers

PREFIX = "/api/v1"
# Only for the OpenAPI description: AuthMiddleware has already checked the token.
_BEARER = HTTPBearer(auto_error=False)


def build(
    settings: Settings,
    db: Database,
    store: Store,
    wake: Callable[[str], None],
    state_of: Callable[[str], AppState | None],
    jobs: Mapping[str, JobPreflight],
) -> FastAPI:
    """Build the API. It is stateless: every server with the same database gives the same answers.

    `wake` starts the next round of an app's rollout at once. `state_of` returns the last published
    state of an app, or None if this server does not lead it; the API then uses the journal. `jobs`:
    the apps that Jenkins deploys.
    """
    app = FastAPI(title="Bigred", version="1", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.context = ApiContext(settings, db, store, wake, state_of, jobs)
    app.add_middleware(AuthMiddleware, db=db)
    add_error_handlers(app)
    app.add_api_route(HEALTH, _health, include_in_schema=False)
    app.add_api_route(f"{PREFIX}/openapi.json", _openapi, include_in_schema=False)
    app.include_router(pages.router)
    app.include_router(builds.signed, prefix=PREFIX, responses=DOCUMENTED)
    for router in (queries.router, commands.router, builds.router):
        app.include_router(
            router, prefix=PREFIX, dependencies=[Security(_BEARER)], responses=DOCUMENTED
        )
    return app


async def _health() -> dict[str, str]:
    """Report that the server is running."""
    return {"status": "ok"}


async def _openapi(request: Request, _: ViewerCaller) -> dict[str, Any]:
    """Return the OpenAPI description."""
    app: FastAPI = request.app
    return app.openapi()
