"""Cleans a text for a speech engine: short, on one line, without control characters."""

import unicodedata

MOST_CHARACTERS = 300


def clean(text: str) -> str:
    """Drop characters that can't be spoken; cut an overlong text, after a word if possible."""
    printable = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in text)
    line = " ".join(printable.split())
    if len(line) <= MOST_CHARACTERS:
        return line
    return line[:MOST_CHARACTERS].rsplit(" ", 1)[0]
