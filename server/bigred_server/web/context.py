"""The context of the routes of the HTTP API, and the roles that they require."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, HTTPException, Path, Request

from bigred_broker.messages import AppState
from bigred_server.artifacts.store import Store
from bigred_server.errors import UnknownAppError
from bigred_server.journal.database import Database
from bigred_server.model.api_token import Role
from bigred_server.requests.job_preflight import JobPreflight
from bigred_server.settings import Settings
from bigred_server.web.caller import Caller


@dataclass(frozen=True)
class ApiContext:
    """What the routes use; see `api.build`. `jobs`: the apps that Jenkins deploys.

    `wake` starts the next round of an app's rollout at once. `state_of` returns the last published
    state of an app, or None if this server does not lead it.
    """

    settings: Settings
    db: Database
    store: Store
    wake: Callable[[str], None]
    state_of: Callable[[str], AppState | None]
    jobs: Mapping[str, JobPreflight]


def _context(request: Request) -> ApiContext:
    context: ApiContext = request.app.state.context
    return context


def _app(
    context: Annotated[ApiContext, Depends(_context)], app: Annotated[str, Path(max_length=32)]
) -> str:
    if app not in context.settings.apps:
        raise UnknownAppError(f"no app {app!r}; available: {', '.join(context.settings.apps)}")
    return app


def _needs(role: Role) -> Callable[[Request], Awaitable[Caller]]:
    async def check(request: Request) -> Caller:
        caller: Caller = request.state.caller
        if not caller.role.may(role):
            raise HTTPException(
                HTTPStatus.FORBIDDEN,
                f"the token {caller.name} has the role {caller.role}; this needs {role}",
            )
        return caller

    return check


InContext = Annotated[ApiContext, Depends(_context)]
KnownApp = Annotated[str, Depends(_app)]
ViewerCaller = Annotated[Caller, Depends(_needs(Role.VIEWER))]
OperatorCaller = Annotated[Caller, Depends(_needs(Role.OPERATOR))]
AdminCaller = Annotated[Caller, Depends(_needs(Role.ADMIN))]
