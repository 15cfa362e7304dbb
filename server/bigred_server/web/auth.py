"""Authenticate requests to the HTTP API, and limit the size of their bodies."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bigred_server.model.receipt_link import PAGES
from bigred_server.settings import TokenSettings
from bigred_server.web.caller import caller_of

HEALTH = "/healthz"
MAX_BODY = 16 * 1024
# Webhooks carry a signature of the body instead of a token, and list every commit of a push.
_WEBHOOK = re.compile(r"/api/v1/apps/[^/]+/webhooks/[^/]+")
# Pages carry a key in their link.
_PAGE = re.compile(rf"{PAGES}/[^/]+")
MAX_WEBHOOK = 5 * 1024 * 1024

NO_TOKEN = "a token is required: Authorization: Bearer TOKEN; `bigred token` creates one"  # noqa: S105


class AuthMiddleware:
    """Guards all routes except the health check, webhooks and pages.

    It puts the caller into the request's state.
    """

    def __init__(self, app: ASGIApp, tokens: Mapping[str, TokenSettings]) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it before reading any of its body."""
        if scope["type"] != "http" or scope["path"] == HEALTH:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if _WEBHOOK.fullmatch(scope["path"]):
            limit = MAX_WEBHOOK if scope["method"] == "POST" else MAX_BODY
            await self._pass_on(scope, receive, send, limit)
            return
        if scope["method"] in ("GET", "HEAD") and _PAGE.fullmatch(scope["path"]):
            await self._pass_on(scope, receive, send, MAX_BODY)
            return
        caller = caller_of(headers.get("authorization", ""), self._tokens)
        if caller is None:
            refusal = _refusal(HTTPStatus.UNAUTHORIZED, NO_TOKEN)
            refusal.headers["WWW-Authenticate"] = "Bearer"
            await refusal(scope, receive, send)
        else:
            scope.setdefault("state", {})["caller"] = caller
            await self._pass_on(scope, receive, send, MAX_BODY)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        if _length(Headers(scope=scope)) > limit:
            refusal = _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_big(limit))
            await refusal(scope, receive, send)
        else:
            await self._app(scope, _bounded(receive, limit), send)


def too_big(limit: int) -> str:
    """Return the error for a body that is too big."""
    return f"the body exceeds the limit of {limit} bytes"


def _length(headers: Headers) -> int:
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0


def _bounded(receive: Receive, limit: int) -> Receive:
    """Limit a body that was sent without its length."""
    left = limit

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_big(limit))
        return message

    return bounded


def _refusal(status: HTTPStatus, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)
