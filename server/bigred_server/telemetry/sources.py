"""Where a series comes from: a command, a query in SQL, a query to Prometheus. One number each."""

import asyncio

import httpx2
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from bigred_server import child
from bigred_server.errors import SeriesError
from bigred_server.settings.series import SeriesSettings

DEADLINE_S = 10.0


async def read(settings: SeriesSettings, http: httpx2.AsyncClient) -> float:
    """Read the number. Raises SeriesError."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            if settings.command:
                return _number(await _printed(settings.command))
            if settings.sql:
                return _number(await asyncio.to_thread(_selected, settings))
            return await _asked(settings, http)
    except TimeoutError as error:
        raise SeriesError(f"it gave no number in {DEADLINE_S:g} s") from error


def _number(told: object) -> float:
    text = str(told).strip()
    try:
        return float(text)
    except ValueError as error:
        raise SeriesError(f"{text[:80]!r} is no number") from error


async def _printed(command: tuple[str, ...]) -> str:
    try:
        done = await child.captured(*command)
    except OSError as error:
        raise SeriesError(f"{command[0]} can't be run: {error.strerror}") from error
    if done.code != 0:
        raise SeriesError(f"{command[0]} ended with {done.code}")
    return done.stdout


def _selected(settings: SeriesSettings) -> object:
    try:
        engine = create_engine(settings.database)
        try:
            with engine.connect() as connection:
                return connection.execute(text(settings.sql)).scalar_one()
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        raise SeriesError(f"the query failed: {str(error).splitlines()[0]}") from error


async def _asked(settings: SeriesSettings, http: httpx2.AsyncClient) -> float:
    """Ask Prometheus' HTTP API, as its manual's "Instant queries" has it."""
    url = f"{settings.prometheus.rstrip('/')}/api/v1/query"
    try:
        answer = await http.get(url, params={"query": settings.query})
        told = answer.json()
        result = told["data"]["result"]
        value = result[1] if told["data"]["resultType"] == "scalar" else result[0]["value"][1]
    except httpx2.HTTPError as error:
        raise SeriesError(f"{url} does not answer: {type(error).__name__}") from error
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise SeriesError(f"{url} answers {answer.status_code} without a number") from error
    return _number(value)
