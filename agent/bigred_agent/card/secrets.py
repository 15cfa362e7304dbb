"""What is secret in `bigred.toml`, and the file without it. Pure."""

import copy
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any  # TOML's values

from bigred_agent.card.settings import KEPT
from bigred_broker.config import line_of

PLACES = (("wifi", "password"), ("broker", "password"))
Table = Mapping[str, Any]


def completed(told: Table, kept: Table) -> tuple[dict[str, Any], list[str]]:
    """Give what the card tells with what the box keeps in place of KEPT, and what is missing."""
    whole = copy.deepcopy(dict(told))
    missing = []
    for table, key in PLACES:
        here = whole.get(table)
        if not isinstance(here, dict) or here.get(key) != KEPT:
            continue
        before = kept.get(table, {}).get(key, "")
        if before:
            here[key] = before
        else:
            missing.append(f"{table}.{key}: this box keeps none; write it here again")
    return whole, missing


def without(text: str) -> str:
    """Give the text of a `bigred.toml` with KEPT in place of its secrets.

    Comments and all else stay. Where a secret is written in a way that can't be replaced in its
    line, the file is written anew.
    """
    told = tomllib.loads(text)
    wanted = _blanked(told)
    lines = text.splitlines(keepends=True)
    for table, key in PLACES:
        if told.get(table, {}).get(key) in (None, "", KEPT):
            continue
        number = line_of(text, (table, key)) - 1
        lines[number] = re.sub(
            r"""=\s*("(?:[^"\\]|\\.)*"|'[^']*')""", f'= "{KEPT}"', lines[number], count=1
        )
    replaced = "".join(lines)
    try:
        if tomllib.loads(replaced) == wanted:
            return replaced
    except tomllib.TOMLDecodeError:
        pass
    return toml(wanted)


def toml(tables: Table) -> str:
    """Write tables of plain values as TOML."""
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
    # TOML's strings, numbers and booleans are written as JSON's, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _blanked(told: Table) -> dict[str, Any]:
    blanked = copy.deepcopy(dict(told))
    for table, key in PLACES:
        if blanked.get(table, {}).get(key):
            blanked[table][key] = KEPT
    return blanked
