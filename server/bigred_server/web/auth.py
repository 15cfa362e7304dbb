"""The door of the HTTP API: nobody comes in without a token, and nothing that is too big."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bigred_server.settings import TokenSettings
from bigred_server.web.caller import caller_of

HEALTH = "/healthz"
MAX_BODY = 16 * 1024
# Webhooks bear no token but a signature over their body, and tell of every commit in a push.
_WEBHOOK = re.compile(r"/api/v1/apps/[^/]+/webhooks/[^/]+")
MAX_WEBHOOK = 5 * 1024 * 1024

NO_TOKEN = "a token is needed, as: Authorization: Bearer TOKEN; `bigred token` makes one"  # noqa: S105


class AuthMiddleware:
    """Stands before all routes but the health check; leaves the caller in the request's state."""

    def __init__(self, app: ASGIApp, tokens: Mapping[str, TokenSettings]) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or answer it here, before a byte of its body is read."""
        if scope["type"] != "http" or scope["path"] == HEALTH:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] == "POST" and _WEBHOOK.fullmatch(scope["path"]):
            await self._let_in(scope, receive, send, MAX_WEBHOOK)
            return
        caller = caller_of(headers.get("authorization", ""), self._tokens)
        if caller is None:
            refusal = _no(HTTPStatus.UNAUTHORIZED, NO_TOKEN)
            refusal.headers["WWW-Authenticate"] = "Bearer"
            await refusal(scope, receive, send)
        else:
            scope.setdefault("state", {})["caller"] = caller
            await self._let_in(scope, receive, send, MAX_BODY)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        if _length(Headers(scope=scope)) > most:
            refusal = _no(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_big(most))
            await refusal(scope, receive, send)
        else:
            await self._app(scope, _bounded(receive, most), send)


def too_big(most: int) -> str:
    """Say that a body is too big."""
    return f"the body is over the limit of {most} bytes"


def _length(headers: Headers) -> int:
    told = headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() else 0


def _bounded(receive: Receive, most: int) -> Receive:
    """Bound a body whose length nobody told."""
    left = most

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_big(most))
        return message

    return bounded


def _no(status: HTTPStatus, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)
