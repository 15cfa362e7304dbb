"""Reads a TOML file into a model; errors name the file, the line and the nearest known key."""

import difflib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, Discriminator, Tag, ValidationError

Location = tuple[int | str, ...]
M = TypeVar("M", bound=BaseModel)

_PART = r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'"""
_PATH = rf"(?:{_PART})(?:\s*\.\s*(?:{_PART}))*"
_TABLE = re.compile(rf"^\s*(\[\[?)\s*({_PATH})\s*\]")
_KEY = re.compile(rf"^\s*({_PATH})\s*=")
_LONG_QUOTES = ('"' * 3, "'" * 3)


class ConfigError(ValueError):
    """A configuration file is not valid; the text has one line per error, with its place."""


def load(path: Path, model: type[M]) -> M:
    """Read and check a configuration file. Raises ConfigError, and nothing else."""
    try:
        # Windows editors write a byte order mark, and people edit SD cards there.
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: can't be read: {error}") from error
    return parse(text, model, str(path))


def parse(text: str, model: type[M], name: str) -> M:
    """Check the text of a configuration file called `name`. Raises ConfigError."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{name}: not valid TOML: {error}") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        findings = [
            _finding(text, model, name, found["loc"], found["type"], found["msg"])
            for found in error.errors(include_url=False, include_input=False)
        ]
        raise ConfigError("\n".join(findings)) from error


def _finding(
    text: str, model: type[BaseModel], name: str, where: Location, kind: str, message: str
) -> str:
    written = as_written(model, where)
    dotted = ".".join(_shown(str(part)) for part in written) or "the file"
    place = f"{name}:{line_of(text, written)}"
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(where[-1]), known_keys(model, where[:-1]), 1, 0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{place}: unknown key {dotted!r}{hint}"
    if kind == "missing":
        return f"{place}: the key {dotted!r} is missing"
    return f"{place}: {dotted}: {message.removeprefix('Value error, ')}"


def _shown(part: str) -> str:
    # A quoted key may be anything, even several lines.
    return part if part.isprintable() else ascii(part)


def line_of(text: str, where: Location) -> int:
    """Find the line (from 1) of a key, or of its nearest enclosing table, or 1."""
    lines = _lines(text)
    for depth in range(len(where), 0, -1):
        if where[:depth] in lines:
            return lines[where[:depth]]
    return 1


def _lines(text: str) -> dict[Location, int]:
    found: dict[Location, int] = {}
    counts: dict[Location, int] = {}  # tables in each array of tables, so far
    table: Location = ()
    quotes: str | None = None  # of a string over several lines, while inside
    for number, line in enumerate(text.splitlines(), 1):
        if quotes is not None:
            quotes = None if quotes in line else quotes
            continue
        if header := _TABLE.match(line):
            table = _in_last_elements(_path(header[2]), counts)
            if header[1] == "[[":
                array = (*_in_last_elements(_path(header[2])[:-1], counts), _path(header[2])[-1])
                counts[array] = counts.get(array, 0) + 1
                found.setdefault(array, number)
                table = (*array, counts[array] - 1)
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, *_path(key[1])), number)
        quotes = next((quote for quote in _LONG_QUOTES if line.count(quote) % 2), None)
    return found


def _path(dotted: str) -> Location:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def _in_last_elements(path: Location, counts: dict[Location, int]) -> Location:
    """Return a path as the model has it: a table below an array belongs to its last element."""
    where: Location = ()
    for part in path:
        where = (*where, part)
        if where in counts:
            where = (*where, counts[where] - 1)
    return where


def as_written(model: type[BaseModel], where: Location) -> Location:
    """Return a place as written in the file: pydantic's also contains the tags of unions."""
    current: list[object] = [model]
    written: Location = ()
    for part in where:
        if not any(part in _tagged(option) for option in current):
            written = (*written, part)
        current = _step(current, part)
    return written


def known_keys(model: type[BaseModel], where: Location) -> list[str]:
    """List the keys a model allows at a place, following nested models, dicts and lists.

    The place is pydantic's: after the tag of a union only the keys of that member count.
    """
    current: list[object] = [model]
    for part in where:
        current = _step(current, part)
    return [key for option in current for found in _models(option) for key in _fields(found)]


def _step(current: list[object], part: int | str) -> list[object]:
    members = [_tagged(option)[part] for option in current if part in _tagged(option)]
    return members or [below for option in current for below in _below(option, part)]


def _tagged(annotation: object) -> dict[int | str, object]:
    """Return the members of a tagged union by tag; nothing for any other annotation."""
    if get_origin(annotation) is not Annotated:
        return {}
    union, *metadata = get_args(annotation)
    if not any(isinstance(one, Discriminator) for one in metadata):
        return {}
    return {
        one.tag: member
        for member in get_args(union)
        for one in get_args(member)[1:]
        if isinstance(one, Tag)
    }


def _below(annotation: object, part: int | str) -> Iterator[object]:
    for option in _options(annotation):
        arguments = get_args(option)
        if isinstance(option, type) and issubclass(option, BaseModel):
            yield from (kind for key, kind in _fields(option).items() if key == part)
        elif arguments:
            # The values of a dict, the elements of a list or a tuple.
            yield arguments[1] if isinstance(part, str) and len(arguments) > 1 else arguments[0]


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    for option in _options(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            yield option


def _fields(model: type[BaseModel]) -> dict[str, object]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _options(annotation: object) -> Iterator[object]:
    if get_origin(annotation) in (Union, UnionType):
        for argument in get_args(annotation):
            yield from _options(argument)
    elif get_origin(annotation) is Annotated:
        yield from _options(get_args(annotation)[0])
    else:
        yield annotation
