"""Turns the errors of a model into complaints that a person understands. Pure."""

import difflib
from collections.abc import Mapping
from typing import Any  # TOML's values

from pydantic import ValidationError

from bigred_agent.card import vocabulary
from bigred_agent.card.mistakes import Complaint, Mistake, mistake_of
from bigred_agent.card.settings import CardSettings
from bigred_agent.card.vocabulary import HEADINGS, SPOKEN_HEADINGS
from bigred_broker.config import Location, known_keys, line_of

_MISSING: dict[Location, Mistake] = {
    ("name",): Mistake.NO_NAME,
    ("broker",): Mistake.NO_BROKER,
    ("broker", "host"): Mistake.NO_HOST,
    ("wifi", "ssid"): Mistake.NO_SSID,
    ("wifi", "country"): Mistake.NO_COUNTRY,
}
_WHOLE_FILE = {Mistake.NO_NAME, Mistake.NO_BROKER}
# The keys that a check of several is about.
_KEYS: dict[Mistake, Location] = {
    Mistake.LANGUAGE: ("language",),
    Mistake.PHRASES: ("phrases",),
    Mistake.CERTIFICATE_PAIR: ("broker", "certificate"),
    Mistake.CERTIFICATE_CA: ("broker", "certificate"),
}
_CLOSE_ENOUGH = 0.6


def invalid(text: str, tables: Mapping[str, Any]) -> list[Complaint]:
    """List what is wrong with the tables of a text; nothing if they are valid."""
    try:
        CardSettings.model_validate(tables)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    else:
        return []
    # Under a misspelt heading is what is missing elsewhere.
    unknown = any(one["type"] == "extra_forbidden" and len(one["loc"]) == 1 for one in errors)
    return [
        _complaint(text, one["loc"], one["type"], one["msg"], one.get("ctx", {}))
        for one in errors
        if not (unknown and one["type"] == "missing" and one["loc"] == ("broker",))
    ]


def _complaint(
    text: str, where: Location, kind: str, message: str, details: Mapping[str, Any]
) -> Complaint:
    if kind == "missing" and where in _MISSING:
        mistake = _MISSING[where]
        return mistake.at(None if mistake in _WHOLE_FILE else line_of(text, where))
    if kind == "extra_forbidden":
        return _unknown(text, where)
    mistake = mistake_of(kind) or (Mistake.PORT if where[-1:] == ("port",) else Mistake.INVALID)
    place = _KEYS.get(mistake, where)
    names = {
        "thing": vocabulary.spoken(_key(place)),
        "key": ".".join(map(str, place)) or "the file",
        "reason": message.removeprefix("Value error, "),
    }
    return mistake.at(line_of(text, place), **{**names, **details})


def _unknown(text: str, where: Location) -> Complaint:
    named, known = str(where[-1]), known_keys(CardSettings, where[:-1])
    near = difflib.get_close_matches(named.casefold(), known, 1, _CLOSE_ENOUGH)
    line = line_of(text, where)
    if not near:
        return Mistake.UNKNOWN_KEY.at(line, key=named)
    thing = SPOKEN_HEADINGS[near[0]] if near[0] in HEADINGS else vocabulary.spoken(_key(where))
    return Mistake.MISSPELT_KEY.at(line, key=named, near=near[0], thing=thing)


def _key(where: Location) -> vocabulary.Key:
    names = [str(part) for part in where[:2]]
    return (names[0], names[1]) if len(names) > 1 else ("", "".join(names))
