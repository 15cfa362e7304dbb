"""Finds and explains keys of the configuration: what the reference says, and the default.

A path has "NAME" where a person chooses the name, as in apps.NAME.deadlines.drain_s.
"""

import difflib
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args, get_origin

import tomlkit
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from bigred_server.settings import Settings
from bigred_server.settings.reference import KeyPath, Reference

NAME = "NAME"
REQUIRED, NONE = "required", "none"
_MOST_NEAR = 3


@dataclass(frozen=True)
class Explained:
    """A key, or a table with the keys in it; `text` is what the reference says about it.

    `default` and `example` are TOML, `default` also REQUIRED or NONE; both are "" for a table.
    """

    path: KeyPath
    text: str
    default: str = ""
    example: str = ""

    @property
    def is_table(self) -> bool:
        """Whether it is a table."""
        return not self.default

    @property
    def name(self) -> str:
        """The path as it is written, that of a table in brackets."""
        dotted = ".".join(self.path)
        return f"[{dotted}]" if self.is_table else dotted

    @property
    def summary(self) -> str:
        """The first sentence of the text."""
        first, stop, _ = self.text.partition(". ")
        return f"{first}." if stop else first


def entries(reference: Reference) -> list[Explained]:
    """List every table of the reference, and after each its keys."""
    fields = dict(reversed(list(_fields(Settings))))  # of two kinds of app, the first counts
    found: dict[KeyPath, Explained] = {}
    for section in reference.sections:
        table = _general(section.path, fields)
        said = found[table].text if table in found else ""
        found[table] = Explained(table, " ".join([said, *section.comment]).strip())
        for key in section.keys:
            path = _general((*section.path, key.name), fields)
            entry = Explained(path, " ".join(key.comment), _default(fields[path]), key.value)
            found.setdefault(path, entry)
    return list(found.values())


def inside(table: Explained, known: Sequence[Explained]) -> list[Explained]:
    """List the keys of a table, and the tables directly below it."""
    return [
        entry
        for entry in known
        if (_unnamed(entry.path) if entry.is_table else entry.path)[:-1] == table.path
    ]


def find(wanted: str, known: Sequence[Explained]) -> list[Explained]:
    """Find what a person means by a whole path, with any names in it, or by parts of one."""
    parts = tuple(wanted.strip("[]").split("."))
    for matches in (operator.eq, _has_parts, _fits, _could_have_parts):
        if found := [entry for entry in known if matches(parts, entry.path)]:
            return found
    return []


def near(wanted: str, known: Sequence[Explained]) -> list[Explained]:
    """List the keys and tables whose names are most like the one that is wanted."""
    last = wanted.strip("[]").rpartition(".")[2]
    names = list(dict.fromkeys(_unnamed(entry.path)[-1] for entry in known))
    alike = difflib.get_close_matches(last, names, _MOST_NEAR)
    return [entry for name in alike for entry in known if _unnamed(entry.path)[-1] == name]


def _fits(parts: KeyPath, path: KeyPath) -> bool:
    same = (one in (part, NAME) for part, one in zip(parts, path, strict=False))
    return len(parts) == len(path) and all(same)


def _has_parts(parts: KeyPath, path: KeyPath) -> bool:
    *above, last = _unnamed(path)
    rest = iter(above)
    return parts[-1] == last and all(part in rest for part in parts[:-1])


def _could_have_parts(parts: KeyPath, path: KeyPath) -> bool:
    *above, last = _unnamed(path)
    rest = iter(above)
    could = (any(one in (part, NAME) for one in rest) for part in parts[:-1])
    return parts[-1] == last and all(could)


def _unnamed(path: KeyPath) -> KeyPath:
    """Give a path without a NAME at its end: people call [apps.NAME.nodes.NAME] nodes."""
    return path[:-1] if path[-1] == NAME else path


def _general(path: KeyPath, fields: Mapping[KeyPath, object]) -> KeyPath:
    """Give a path of the reference with NAME for the names that it made up."""
    return next(found for found in fields if _fits(path, found))


def _fields(
    model: type[BaseModel], above: KeyPath = ()
) -> Iterator[tuple[KeyPath, FieldInfo | None]]:
    for name, info in model.model_fields.items():
        path = (*above, name)
        yield path, info
        if get_origin(info.annotation) is dict:
            path = (*path, NAME)
            yield path, None
        for inner in _models(info.annotation):
            yield from _fields(inner, path)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _default(info: FieldInfo | None) -> str:
    if info is None:
        return NONE
    if info.is_required():
        return REQUIRED
    default = to_jsonable_python(info.get_default(call_default_factory=True))
    return NONE if default is None else tomlkit.item(default).as_string()
