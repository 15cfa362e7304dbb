"""The annotated reference of the configuration, `example.toml`, taken apart.

Nowhere else is the meaning of a key written down. What the reference comments out, with a "#" and
no space before a key or a table, is valid TOML as well once the "#" is removed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import tomlkit
from tomlkit.container import Container
from tomlkit.items import Comment, Item, Table

KeyPath = tuple[str, ...]

_COMMENTED_OUT = re.compile(r"^#(?=[\[A-Za-z])", re.MULTILINE)


@dataclass(frozen=True)
class AnnotatedKey:
    """A key, its value as TOML, and its comment line by line.

    `is_set`: the reference does not comment it out.
    """

    name: str
    value: str
    comment: tuple[str, ...]
    is_set: bool


@dataclass(frozen=True)
class AnnotatedTable:
    """A table, its comment line by line, and its own keys without those of the tables below it."""

    path: KeyPath
    comment: tuple[str, ...]
    keys: tuple[AnnotatedKey, ...]
    is_set: bool


@dataclass(frozen=True)
class Reference:
    """The whole file: what it says about itself, and its tables in their order."""

    intro: tuple[str, ...]
    sections: tuple[AnnotatedTable, ...]


def parse(text: str) -> Reference:
    """Take the reference apart. A comment belongs to the key or table directly below it."""
    set_paths = {path for path, _ in _flat(tomlkit.parse(text))}
    intro: tuple[str, ...] = ()
    found: list[AnnotatedTable] = []
    comment: tuple[str, ...] = ()
    for path, item in _flat(tomlkit.parse(_COMMENTED_OUT.sub("", text))):
        if isinstance(item, Comment):
            comment = (*comment, item.as_string().strip().removeprefix("#").strip())
            continue
        if isinstance(item, Table):
            found.append(AnnotatedTable(path, comment, (), path in set_paths))
        elif path:
            key = AnnotatedKey(path[-1], item.as_string(), comment, path in set_paths)
            found[-1] = replace(found[-1], keys=(*found[-1].keys, key))
        elif not found:
            intro = comment or intro
        comment = ()
    return Reference(intro, tuple(found))


def _flat(container: Container, above: KeyPath = ()) -> Iterator[tuple[KeyPath, Item]]:
    """Give what is in a document, in its order: a table before its content, a comment at ()."""
    for key, item in container.body:
        path = (*above, key.key) if key else ()
        if not isinstance(item, Table):
            yield path, item
            continue
        if not item.is_super_table():
            yield path, item
        yield from _flat(item.value, path)
