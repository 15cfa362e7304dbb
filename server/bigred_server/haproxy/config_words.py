"""A line of HAProxy's configuration file, split into words as HAProxy splits it: pure.

Quotes, backslashes, comments and environment variables are HAProxy's own, not a shell's: variables
count within double quotes only, and `${NAME-text}` is the text only if there is no such variable.
"""

import re
from collections.abc import Callable

Words = tuple[str, ...]
# Gives the value of an environment variable, None if it is not set.
Lookup = Callable[[str], str | None]

_VARIABLE = re.compile(r"\$(?:\{(\.?\w+)(?:-([^}]*?))?(\[\*\])?\}|(\.?\w+))")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_HEX = re.compile(r"\\x([0-9A-Fa-f]{2})")


def split(line: str, lookup: Lookup) -> Words:
    """Split a line. A quote that is left open, which HAProxy refuses, ends with the line."""
    words: list[str] = []
    word: str | None = None
    quote, at = "", 0
    while at < len(line):
        sign, rest = line[at], 1
        if sign == quote or (not quote and sign in "\"'"):
            quote = "" if quote else sign
            word = word or ""
        elif not quote and sign in " \t\r\n":
            words += [] if word is None else [word]
            word = None
        elif not quote and sign == "#":
            break
        elif sign == "\\" and quote != "'":
            text, rest = _escape(line, at, quote)
            word = (word or "") + text
        elif quote == '"' and (found := _VARIABLE.match(line, at)):
            rest = found.end() - at
            *whole, word = _expanded(found, lookup, word or "")
            words += whole
        else:
            word = (word or "") + sign
        at += rest
    return tuple(words if word is None else [*words, word])


def _escape(line: str, at: int, quote: str) -> tuple[str, int]:
    """Return what a backslash stands for, and how many characters that takes."""
    if found := _HEX.match(line, at):
        return chr(int(found[1], 16)), 4
    after = line[at + 1 : at + 2]
    if after in _ESCAPED:
        return _ESCAPED[after], 2
    # Within double quotes a backslash escapes only what means something there.
    return ("\\" + after if quote and after not in "\\\"$ #'" else after), 2


def _expanded(found: re.Match[str], lookup: Lookup, before: str) -> list[str]:
    value = lookup(found[1] or found[4])
    if value is None:
        value = found[2] or ""
    if not found[3]:
        return [before + value]
    first, *others = value.split() or [""]
    return [before + first, *others]
