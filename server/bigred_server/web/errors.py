"""What went wrong, as a status and one sentence."""

from http import HTTPStatus
from typing import Any  # so FastAPI types what documents a status

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from bigred_server.errors import (
    BigredError,
    DeploymentError,
    ReleaseError,
    UnknownAppError,
    UnknownReleaseError,
    WebhookError,
)
from bigred_server.web.models import ErrorBody

log = structlog.get_logger(__name__)

# The first that fits counts.
_STATUS: tuple[tuple[type[BigredError], HTTPStatus], ...] = (
    (UnknownAppError, HTTPStatus.NOT_FOUND),
    (UnknownReleaseError, HTTPStatus.NOT_FOUND),
    (ReleaseError, HTTPStatus.CONFLICT),
    (DeploymentError, HTTPStatus.CONFLICT),
    (WebhookError, HTTPStatus.UNPROCESSABLE_ENTITY),
)
_NO_JOURNAL = "the journal can't be used just now; try again in a moment"
_OURS = "something is wrong with the server; its log tells what"

DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody} for status in (401, 403, 404, 409, 422, 503)
}


def answer_them(app: FastAPI) -> None:
    """Have every error answered as `{"error": sentence}`."""
    app.add_exception_handler(BigredError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(SQLAlchemyError, _journal)
    app.add_exception_handler(Exception, _unforeseen)


def _told(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)


def _ours(_: Request, error: Exception) -> JSONResponse:
    fitting = (status for kind, status in _STATUS if isinstance(error, kind))
    return _told(next(fitting, HTTPStatus.INTERNAL_SERVER_ERROR), str(error))


def _http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    told = error.detail
    if told == HTTPStatus(error.status_code).phrase:
        told = f"{request.method} {request.url.path}: {told.lower()}"
    answer = _told(error.status_code, told)
    answer.headers.update(error.headers or {})
    return answer


def _invalid(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    told = f"{where}: {first['msg']}"
    if first["type"] == "json_invalid":
        told = f"the body is no JSON: {first['ctx']['error']}"
    return _told(HTTPStatus.UNPROCESSABLE_ENTITY, told)


def _journal(request: Request, error: Exception) -> JSONResponse:
    log.error("the journal can't be used", path=request.url.path, error=str(error))
    return _told(HTTPStatus.SERVICE_UNAVAILABLE, _NO_JOURNAL)


def _unforeseen(_: Request, _error: Exception) -> JSONResponse:
    # It is raised again behind us, and logged with its trace.
    return _told(HTTPStatus.INTERNAL_SERVER_ERROR, _OURS)
