"""Reads a value that is not valid TOML as it is meant, if it can be meant in one way only. Pure."""

import json
import re
import tomllib
from collections.abc import Iterator

from bigred_agent.card.mistakes import Mistake
from bigred_agent.card.vocabulary import Kind

_DOUBLE = '"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\uff02'
_SINGLE = "'\u2018\u2019\u201a\u201b\u2039\u203a\u2032`\u00b4\uff07"
_TRIPLE = ('"' * 3, "'" * 3)
# What may follow a closing quotation mark: nothing, a comment, the end of a line in other formats.
_AFTER = re.compile(r"[;,]?\s*(#.*)?")
# A second setting in the same line.
_NEXT_SETTING = re.compile(f"[{_DOUBLE}{_SINGLE}][\\s,;]*\\w+\\s*=")
# Written in quotation marks, these would be control characters, which no value has.
_CONTROLS = frozenset("btnfr")
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = re.compile(r'\\(?:[\\"]|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})')
_NUMBER = re.compile(r"(?P<whole>\d*)(?:[.,](?P<part>\d+))?\s*(?P<percent>%?)")
_PINS = re.compile(r"\d+(?:\s*[,;\s]\s*\d+)*")
_FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "1", "ja", "y"), "true"),
    **dict.fromkeys(("false", "no", "off", "0", "nein", "n"), "false"),
}
_TYPES: dict[Kind, tuple[type, ...]] = {
    Kind.TEXT: (str,),
    Kind.LITERAL: (str,),
    Kind.NUMBER: (int, float),
    Kind.FLAG: (bool,),
    Kind.PINS: (list,),
}


class UnclearError(ValueError):
    """A value can't be read, or in more than one way."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.name)
        self.mistake = mistake


def value(kind: Kind, raw: str) -> str | None:
    """Return what follows the equals sign as TOML; None if there is nothing. Raises UnclearError.

    What is valid TOML of that kind comes back as it is.
    """
    raw = raw.strip()
    read = _toml(raw)
    # True is an int, too.
    right = type(read) in _TYPES[kind]
    if right and (raw[:1] != '"' or raw.startswith(_TRIPLE) or not _controls(raw)):
        return raw
    if kind in (Kind.TEXT, Kind.LITERAL):
        return _text(kind, raw)
    plain = _bare(raw)
    if not plain:
        return None
    return {Kind.NUMBER: _number, Kind.FLAG: _flag, Kind.PINS: _pins}[kind](plain)


def opens(kind: Kind, raw: str) -> str:
    """Return what ends a value that goes on in the next lines; "" if it does not."""
    if kind is Kind.PINS and raw.startswith("[") and "]" not in raw:
        return "]"
    begin = raw.strip()[:3]
    return begin if begin in _TRIPLE and _toml(raw) is None else ""


def _toml(raw: str) -> object:
    try:
        return tomllib.loads(f"x = {raw}")["x"]
    except tomllib.TOMLDecodeError:
        return None


def _controls(raw: str) -> bool:
    return not _CONTROLS.isdisjoint(_ESCAPED.findall(raw))


def _text(kind: Kind, raw: str) -> str:
    first = raw[0] if raw else " "
    body = _inside(kind, raw) if first in _DOUBLE + _SINGLE else _unquoted(kind, raw)
    if first in _DOUBLE and _ESCAPES.search(body):
        raise UnclearError(Mistake.NEEDS_QUOTES)
    if '"' not in body and "\\" not in body:
        return f'"{body}"'
    return f"'{body}'" if "'" not in body else json.dumps(body, ensure_ascii=False)


def _inside(kind: Kind, raw: str) -> str:
    """Return what is between quotation marks of any form."""
    marks = _DOUBLE if raw[0] in _DOUBLE else _SINGLE
    bodies = list(_bodies(raw, marks))
    if not bodies:
        has_end = any(sign in marks for sign in raw[1:])
        raise UnclearError(Mistake.AFTER_QUOTE if has_end else Mistake.NO_END_QUOTE)
    body = bodies[0]
    if _NEXT_SETTING.search(body) or (kind is Kind.TEXT and any(sign in _DOUBLE for sign in body)):
        raise UnclearError(Mistake.AFTER_QUOTE)
    doubled = body[:1] and body[0] in marks and body[-1] in marks
    if kind is Kind.LITERAL and (len(bodies) > 1 or doubled):
        raise UnclearError(Mistake.NEEDS_QUOTES)
    return body.strip(marks) if doubled else body


def _bodies(raw: str, marks: str) -> Iterator[str]:
    for at, sign in enumerate(raw):
        if at and sign in marks and _AFTER.fullmatch(raw[at + 1 :].strip()):
            yield raw[1:at]


def _unquoted(kind: Kind, raw: str) -> str:
    if raw and raw[-1] in _DOUBLE + _SINGLE:
        raise UnclearError(Mistake.NO_FIRST_QUOTE)
    if kind is Kind.LITERAL:
        if "#" in raw or raw.endswith((";", ",")):
            raise UnclearError(Mistake.NEEDS_QUOTES)
        return raw
    return _bare(raw)


def _bare(raw: str) -> str:
    """Drop a comment, the end of a line in other formats, and quotation marks."""
    return raw.partition("#")[0].strip().rstrip(";,").strip(_DOUBLE + _SINGLE).strip()


def _number(plain: str) -> str:
    found = _NUMBER.fullmatch(plain)
    if not found or not (found["whole"] or found["part"]):
        raise UnclearError(Mistake.NUMBER)
    whole, part = found["whole"].lstrip("0") or "0", found["part"]
    if found["percent"]:
        return f"{float(f'{whole}.{part or 0}') / 100:g}"
    return f"{whole}.{part}" if part else whole


def _flag(plain: str) -> str:
    if plain.casefold() not in _FLAGS:
        raise UnclearError(Mistake.FLAG)
    return _FLAGS[plain.casefold()]


def _pins(plain: str) -> str:
    numbers = plain.strip("[](){} ")
    if not _PINS.fullmatch(numbers):
        raise UnclearError(Mistake.PINS)
    return f"[{', '.join(re.findall(r'[0-9]+', numbers))}]"
