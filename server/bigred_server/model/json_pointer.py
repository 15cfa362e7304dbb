"""JSON Pointer (RFC 6901): finds one value inside a JSON document."""

from typing import Any  # somebody else's JSON


def value_at(document: Any, pointer: str) -> Any:
    """Return the value that a pointer names; "" names the whole document.

    Raise LookupError or TypeError if there is none.
    """
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        document = document[_index(key)] if isinstance(document, list) else document[key]
    return document


def _index(key: str) -> int:
    # Python would take a negative number for a place counted from the end.
    if not key.isdecimal():
        raise LookupError(f"{key!r} is not a place in a list")
    return int(key)
