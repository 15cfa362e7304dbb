"""The sources of a series: a command, an SQL query or a Prometheus query. One number each."""

import asyncio
import math

import httpx2
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from bigred_server import child
from bigred_server.errors import SeriesError
from bigred_server.settings.series import SeriesSettings

DEADLINE_S = 10.0


async def read(settings: SeriesSettings, http: httpx2.AsyncClient) -> float:
    """Read the number. Raise SeriesError on failure."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            if settings.command:
                return _number(await _run(settings.command))
            if settings.sql:
                return _number(await asyncio.to_thread(_select, settings))
            return await _query(settings, http)
    except TimeoutError as error:
        raise SeriesError(f"no number within {DEADLINE_S:g} s") from error


def _number(value: object) -> float:
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SeriesError(f"{text[:80]!r} is not a number")
    return number


async def _run(command: tuple[str, ...]) -> str:
    try:
        done = await child.captured(*command)
    except OSError as error:
        raise SeriesError(f"{command[0]} can't be run: {error.strerror}") from error
    if done.code != 0:
        raise SeriesError(f"{command[0]} failed: exit code {done.code}")
    return done.stdout


def _select(settings: SeriesSettings) -> object:
    try:
        engine = create_engine(settings.database)
        try:
            with engine.connect() as connection:
                return connection.execute(text(settings.sql)).scalar_one()
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        raise SeriesError(f"the query failed: {str(error).splitlines()[0]}") from error


async def _query(settings: SeriesSettings, http: httpx2.AsyncClient) -> float:
    """Query Prometheus' HTTP API; see "Instant queries" in its manual."""
    url = f"{settings.prometheus.rstrip('/')}/api/v1/query"
    try:
        answer = await http.get(url, params={"query": settings.query})
        data = answer.json()["data"]
        result = data["result"]
        value = result[1] if data["resultType"] == "scalar" else result[0]["value"][1]
    except httpx2.HTTPError as error:
        raise SeriesError(f"{url} does not answer: {type(error).__name__}") from error
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise SeriesError(f"{url} answered {answer.status_code} without a number") from error
    return _number(value)
