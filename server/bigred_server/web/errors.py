"""Answer errors with an HTTP status and one sentence."""

from http import HTTPStatus
from typing import Any  # FastAPI's own type for documented responses

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from bigred_server.errors import (
    BigredError,
    DeploymentError,
    ReleaseError,
    UnknownAppError,
    UnknownReleaseError,
    UnreadableWebhookError,
    WebhookError,
)
from bigred_server.journal.unavailable import JournalUnavailableError
from bigred_server.model.plain_text import plain
from bigred_server.web.models import ErrorBody

log = structlog.get_logger(__name__)

# The first match counts.
_STATUS: tuple[tuple[type[BigredError], HTTPStatus], ...] = (
    (UnknownAppError, HTTPStatus.NOT_FOUND),
    (UnknownReleaseError, HTTPStatus.NOT_FOUND),
    (ReleaseError, HTTPStatus.CONFLICT),
    (DeploymentError, HTTPStatus.CONFLICT),
    (UnreadableWebhookError, HTTPStatus.BAD_REQUEST),
    (WebhookError, HTTPStatus.UNPROCESSABLE_ENTITY),
)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_NO_JOURNAL = "the journal is unavailable; try again in a moment"
_CUT_OFF = "the connection was closed before the body was complete"
_INTERNAL = "internal error; see the server's log"

_ALLOW = {"Allow": {"description": "The methods of this path.", "schema": {"type": "string"}}}
# Also those that a connection answers by itself: 400, 408, 413, 431, 501 and 503.
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    **{
        status: {"model": ErrorBody}
        for status in (400, 401, 403, 404, 408, 409, 413, 422, 431, 500, 501, 503)
    },
    405: {"model": ErrorBody, "headers": _ALLOW},
}


def add_error_handlers(app: FastAPI) -> None:
    """Make the app answer every error with `{"error": sentence}`."""
    app.add_exception_handler(BigredError, _bigred)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ClientDisconnect, _cut_off)
    app.add_exception_handler(SQLAlchemyError, _journal)
    app.add_exception_handler(Exception, _unexpected)


def _answer(status: int, sentence: str) -> JSONResponse:
    # A sentence can quote what the client sent, and may be read at a terminal.
    return JSONResponse({"error": plain(sentence)}, status)


def _bigred(_: Request, error: Exception) -> JSONResponse:
    matches = (status for kind, status in _STATUS if isinstance(error, kind))
    return _answer(next(matches, HTTPStatus.INTERNAL_SERVER_ERROR), str(error))


def _http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    sentence = error.detail
    if sentence == HTTPStatus(error.status_code).phrase:
        sentence = f"{request.method} {request.url.path}: {sentence.lower()}"
    answer = _answer(error.status_code, sentence)
    answer.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(_allowed(request))
    return answer


def _allowed(request: Request) -> list[str]:
    """Return all methods of a path; Starlette names only those of the first route that fits it."""
    routes = request.app.routes
    return [
        method
        for method in _METHODS
        if any(one.matches({**request.scope, "method": method})[0] is Match.FULL for one in routes)
    ]


def _invalid(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    sentence = f"{where}: {first['msg']}"
    if first["type"] == "json_invalid":
        sentence = f"the body is not valid JSON: {first['ctx']['error']}"
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, sentence)


def _cut_off(_: Request, _error: Exception) -> JSONResponse:
    # Nobody receives it, but without an answer the log would have a traceback.
    return _answer(HTTPStatus.BAD_REQUEST, _CUT_OFF)


def _journal(request: Request, error: Exception) -> JSONResponse:
    return journal_answer(request.url.path, error)


def journal_answer(path: str, error: Exception) -> JSONResponse:
    """Log that the journal can't be used, and return the answer to the request for a path."""
    log.error("can't use the journal", path=path, error=str(error))
    # Not the whole error: it names folders of this machine.
    known = error.briefly if isinstance(error, JournalUnavailableError) else ""
    return _answer(HTTPStatus.SERVICE_UNAVAILABLE, known or _NO_JOURNAL)


def _unexpected(_: Request, _error: Exception) -> JSONResponse:
    # Starlette raises it again after this answer, and it is logged with its traceback.
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, _INTERNAL)
