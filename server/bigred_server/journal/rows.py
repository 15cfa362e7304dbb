"""Read rows as values of the model, and refuse values that no Bigred of this version writes."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar  # a row's values, and SQLAlchemy's Select

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Select

from bigred_server.journal.connection import AsyncConnection
from bigred_server.journal.unavailable import JournalUnavailableError, impossible_value

T = TypeVar("T")
Row = Mapping[str, Any]

_KEYS = ("id", "app", "version", "digest")


def reader(kind: type[T]) -> TypeAdapter[T]:
    """Return what reads a row as a value of a dataclass."""
    return TypeAdapter(kind)


async def read(
    db: AsyncConnection,
    query: Select[Any],
    what: TypeAdapter[T],
    prepare: Callable[[Row], Row] = dict,
    values: Mapping[str, object] | None = None,
) -> list[T]:
    """Return the rows of a query; `prepare` fills in what a column may lack.

    `values`: of the query's bound parameters.

    Raise JournalUnavailableError if a value is impossible.
    """
    try:
        rows: Sequence[Any] = (await db.execute(query, values)).mappings().all()
    except ValueError as error:  # by SQLAlchemy, of a column
        raise impossible_value(_table(query), f"it is not JSON ({error})") from error
    return [_value(query, row, what, prepare) for row in rows]


def _value(query: Select[Any], row: Row, what: TypeAdapter[T], prepare: Callable[[Row], Row]) -> T:
    for column, value in row.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise impossible_value(_name(query, row), f"{column} is {value}")
    try:
        return what.validate_python(prepare(row))
    except ValidationError as error:
        raise _impossible(query, row, error) from error


def _impossible(query: Select[Any], row: Row, error: ValidationError) -> JournalUnavailableError:
    first = error.errors(include_url=False)[0]
    column = ".".join(map(str, first["loc"])) or "it"
    return impossible_value(
        _name(query, row), f"{column} is {first['input']!r:.80}, {first['msg']}"
    )


def _name(query: Select[Any], row: Row) -> str:
    keys = " ".join(str(row[key])[:12] for key in _KEYS if row.get(key))
    return f"{_table(query)} {keys}".strip()


def _table(query: Select[Any]) -> str:
    # For errors alone: SQLAlchemy compiles the query for it, which takes longer than to execute it.
    return query.get_final_froms()[0].description
