"""Recognises the headings of a `bigred.toml`, also with other brackets or none. Pure."""

import re

from bigred_agent.card import vocabulary

_LOOSE = re.compile(r"\s*[\[({<]*\s*([A-Za-z][A-Za-z _-]*?)\s*[\])}>]*\s*:?\s*[\])}>]*\s*(#.*)?")
_TABLE = re.compile(r"\s*\[\[?\s*([^\]\[]+?)\s*\]\]?\s*(#.*)?")
_COMMENTED = re.compile(r"\s*#+\s*[\[({]\s*([\w -]+?)\s*[\])}]")


def section(line: str) -> str | None:
    """Return the heading in a line, of ours or another; None if it is no heading."""
    loose = _LOOSE.fullmatch(line)
    if loose and (ours := vocabulary.heading(loose[1])):
        return ours
    table = _TABLE.fullmatch(line)
    return table[1] if table else None


def right(name: str, line: str) -> str:
    """Return the line as TOML has the heading `name`; the same if it is right."""
    table = _TABLE.fullmatch(line)
    if table and table[1] == name and "[[" not in line:
        return line
    comment = line.partition("#")[2]
    return f"[{name}]" + (f"  #{comment}" if comment else "")


def commented(line: str) -> str | None:
    """Return the heading of ours that a comment hides."""
    found = _COMMENTED.match(line)
    return vocabulary.heading(found[1]) if found else None
