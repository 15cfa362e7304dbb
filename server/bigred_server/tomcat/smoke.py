"""What is wrong with the answer to a smoke test. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from bigred_server.model.json_pointer import value_at
from bigred_server.settings.admission import JsonScalar, SmokeSettings

_BAD = 400
_SHOWN = 80
_ABSENT = object()


@dataclass(frozen=True)
class SmokeAnswer:
    """An answer that came in time. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    text: str


def complaint(test: SmokeSettings, seen: SmokeAnswer) -> str:
    """Return what was wanted and what was seen instead, "" if the answer is as it should be."""
    if wrong := _status(test, seen.status):
        return wrong
    for name, wanted in test.headers.items():
        value = seen.headers.get(name.lower())
        if value is None or wanted not in value:
            shown = "it is missing" if value is None else f"it is {_shown(value)}"
            return f"wanted {wanted!r} in the header {name}, {shown}"
    if test.text and test.text not in seen.text:
        return f"wanted the text {test.text!r}, seen: {_shown(seen.text)}"
    if test.without and test.without in seen.text:
        return f"found the text {test.without!r}: {_shown(_around(seen.text, test.without))}"
    return _values(test.values, seen.text) if test.values else ""


def _status(test: SmokeSettings, status: int) -> str:
    if test.status is None:
        return f"status {status}" if status >= _BAD else ""
    wanted = (test.status,) if isinstance(test.status, int) else test.status
    if status in wanted:
        return ""
    return f"wanted status {' or '.join(map(str, wanted))}, seen {status}"


def _values(wanted: Mapping[str, JsonScalar], text: str) -> str:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return f"wanted JSON, seen: {_shown(text)}"
    for pointer, value in wanted.items():
        try:
            found = value_at(document, pointer)
        except (LookupError, TypeError):
            found = _ABSENT
        # In Python true equals 1; in JSON it does not.
        if found != value or isinstance(found, bool) != isinstance(value, bool):
            shown = "there is none" if found is _ABSENT else f"seen {_shown(json.dumps(found))}"
            return f"wanted {json.dumps(value)} at {pointer or 'the top'} of the JSON, {shown}"
    return ""


def _around(text: str, part: str) -> str:
    begin = max(0, text.index(part) - (_SHOWN - min(len(part), _SHOWN)) // 2)
    return text[begin:]


def _shown(text: str) -> str:
    one_line = " ".join(text.split())
    return repr(one_line if len(one_line) <= _SHOWN else f"{one_line[:_SHOWN]}…")
