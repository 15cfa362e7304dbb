"""Authenticate requests to the HTTP API, and limit the size of their bodies."""

import asyncio
import contextlib
import re
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bigred_server.journal import api_tokens
from bigred_server.journal.database import Database
from bigred_server.model.api_token import ApiToken
from bigred_server.model.receipt_link import PAGES
from bigred_server.web.caller import Stranger, caller_of, digest_of
from bigred_server.web.errors import journal_answer

HEALTH = "/healthz"
MAX_BODY = 16 * 1024
# Webhooks carry a signature of the body instead of a token, and list every commit of a push.
_WEBHOOK = re.compile(r"/api/v1/apps/[^/]+/webhooks/[^/]+")
# Pages carry a key in their link.
_PAGE = re.compile(rf"{PAGES}/[^/]+")
MAX_WEBHOOK = 5 * 1024 * 1024
_USE_S = 60.0
_AT_ONCE = 2


class AuthMiddleware:
    """Guards all routes except the health check, webhooks and pages.

    It puts the caller into the request's state.
    """

    def __init__(self, app: ASGIApp, db: Database) -> None:
        self._app = app
        self._tokens = _Tokens(db)

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
        try:
            token = await self._tokens.find(headers.get("authorization", ""))
        except SQLAlchemyError as error:
            await journal_answer(scope["path"], error)(scope, receive, send)
            return
        caller = caller_of(token, time.time())
        if isinstance(caller, Stranger):
            refusal = _refusal(HTTPStatus.UNAUTHORIZED, caller.reason)
            refusal.headers["WWW-Authenticate"] = "Bearer"
            await refusal(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._pass_on(scope, receive, send, MAX_BODY)
        if token is not None:
            await self._tokens.used(token)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        if _length(Headers(scope=scope)) > limit:
            refusal = _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_big(limit))
            await refusal(scope, receive, send)
        else:
            await self._app(scope, _bounded(receive, limit), send)


@dataclass
class _Tokens:
    """The tokens in the journal; the last use of each is recorded once a minute at most."""

    db: Database
    # Strangers who guess must not keep all connections to the database busy.
    _finding: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _recorded: MutableMapping[str, float] = field(default_factory=dict)

    async def find(self, authorization: str) -> ApiToken | None:
        """Return the token in an Authorization header, valid or not."""
        digest = digest_of(authorization)
        if digest is None:
            return None
        async with self._finding, self.db.read() as db:
            return await api_tokens.find(db, digest)

    async def used(self, token: ApiToken) -> None:
        """Record that a token was used now. Nobody waits for it, and nothing depends on it."""
        now = time.time()
        last = max(token.used_at or 0.0, self._recorded.get(token.id, 0.0))
        if 0.0 <= now - last < _USE_S:
            return
        self._recorded[token.id] = now
        with contextlib.suppress(SQLAlchemyError):
            async with self.db.write() as db:
                await api_tokens.used(db, token.id, now)


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
