"""Reads a TOML file into a model; what is wrong is told with file, line and the nearest key."""

import difflib
import re
import tomllib
from pathlib import Path
from types import UnionType
from typing import TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

Location = tuple[int | str, ...]
M = TypeVar("M", bound=BaseModel)

_TABLE = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+?)\s*=")


class ConfigError(ValueError):
    """A configuration file can't be used; the text has a line a finding, each with its place."""


def load(path: Path, model: type[M]) -> M:
    """Read and check a configuration file. Raises ConfigError, and nothing else."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}") from error
    return parse(text, model, str(path))


def parse(text: str, model: type[M], name: str) -> M:
    """Check the text of a configuration file called `name`. Raises ConfigError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: no valid TOML: {error}") from error
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
    dotted = ".".join(str(part) for part in where) or "the file"
    place = f"{name}:{line_of(text, where)}"
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(where[-1]), known_keys(model, where[:-1]), 1, 0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{place}: unknown key {dotted!r}{hint}"
    if kind == "missing":
        return f"{place}: the key {dotted!r} is missing"
    return f"{place}: {dotted}: {message.removeprefix('Value error, ')}"


def line_of(text: str, where: Location) -> int:
    """Find the line (from 1) where a key stands, or its nearest enclosing table, or 1."""
    lines = _lines(text)
    for depth in range(len(where), 0, -1):
        if where[:depth] in lines:
            return lines[where[:depth]]
    return 1


def _lines(text: str) -> dict[Location, int]:
    found: dict[Location, int] = {}
    counts: dict[Location, int] = {}
    table: Location = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = _path(header[1])
            if line.lstrip().startswith("[["):
                index = counts.get(table, 0)
                counts[table] = index + 1
                found.setdefault(table, number)
                table = (*table, index)
            elif parent := next((p for p in counts if table[: len(p)] == p), None):
                # A table below an array of tables belongs to the array's last element.
                table = (*parent, counts[parent] - 1, *table[len(parent) :])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, *_path(key[1])), number)
    return found


def _path(dotted: str) -> Location:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def known_keys(model: type[BaseModel], where: Location) -> list[str]:
    """List the keys a model allows at a place, following nested models, dicts and lists."""
    current: object = model
    for part in where:
        current = _below(current, part)
    found = _model_in(current)
    return list(found.model_fields) if found else []


def _below(annotation: object, part: int | str) -> object:
    found = _model_in(annotation)
    if found is not None and part in found.model_fields:
        return found.model_fields[str(part)].annotation
    if get_origin(annotation) in (dict, list, tuple):
        arguments = get_args(annotation)
        return arguments[1] if get_origin(annotation) is dict else arguments[0]
    return None


def _model_in(annotation: object) -> type[BaseModel] | None:
    if get_origin(annotation) in (Union, UnionType):
        return next(filter(None, map(_model_in, get_args(annotation))), None)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None
