"""The secrets in `bigred.toml`, and the file without them. Pure."""

import copy
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any  # TOML's values

from bigred_agent.card.settings import KEPT
from bigred_broker.config import line_of

SECRETS = (("wifi", "password"), ("broker", "password"))
Table = Mapping[str, Any]


def complete(tables: Table, stored: Table) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the tables with stored secrets in place of KEPT, and the keys of missing ones."""
    whole = copy.deepcopy(dict(tables))
    missing = []
    for table, key in SECRETS:
        section = whole.get(table)
        if not isinstance(section, dict) or section.get(key) != KEPT:
            continue
        secret = stored.get(table, {}).get(key, "")
        if secret:
            section[key] = secret
        else:
            missing.append((table, key))
    return whole, missing


def redacted(text: str, meant: Table) -> str:
    """Return the text of a `bigred.toml` with KEPT in place of its secrets.

    `meant`: its tables as meant, in which each secret has its place. Comments and everything else
    stay. If a secret is written in a way that can't be replaced within its line, or as a part of
    an address, the whole file is rewritten.
    """
    tables = tomllib.loads(text)
    wanted = _redacted_tables(tables)
    lines = text.splitlines(keepends=True)
    for table, key in SECRETS:
        if tables.get(table, {}).get(key) in (None, "", KEPT):
            continue
        number = line_of(text, (table, key)) - 1
        lines[number] = re.sub(
            r"""=\s*("(?:[^"\\]|\\.)*"|'[^']*')""", f'= "{KEPT}"', lines[number], count=1
        )
    replaced = "".join(lines)
    has_login = "@" in str(tables.get("broker", {}).get("host", ""))
    try:
        if tomllib.loads(replaced) == wanted and not has_login:
            return replaced
    except tomllib.TOMLDecodeError:
        pass
    return toml(_redacted_tables(meant))


def toml(tables: Table) -> str:
    """Return tables of plain values as TOML."""
    plain = [f"{key} = {_value(value)}" for key, value in tables.items() if not _is_table(value)]
    parts = ["\n".join(plain)]
    for name, table in tables.items():
        if _is_table(table):
            rows = "\n".join(f"{key} = {_value(value)}" for key, value in table.items())
            parts.append(f"[{name}]\n{rows}")
    return "\n\n".join(part for part in parts if part) + "\n"


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_value(one)}' for key, one in value.items())} }}"
    # TOML writes strings, numbers and booleans as JSON does, except for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _redacted_tables(tables: Table) -> dict[str, Any]:
    copied = copy.deepcopy(dict(tables))
    for table, key in SECRETS:
        if copied.get(table, {}).get(key):
            copied[table][key] = KEPT
    return copied
