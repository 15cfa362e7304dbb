"""Finds files on the card by the names that office computers give them."""

import re
from dataclasses import dataclass
from pathlib import Path

from bigred_agent.card.decoding import NotTextError, decoded
from bigred_agent.card.settings import example

_MOST_BYTES = 1 << 18
_MOST_CHARACTERS = 1 << 16
# Windows hides known endings and adds its own, browsers number what they save twice. Best first.
_NAMES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"bigred\.toml",
        r"bigred\.toml\.(txt|text|toml)",
        r"bigred(\.txt)?",
        r"[^.~].*bigred.*\.toml(\.txt)?|bigred.+\.toml(\.txt)?",
        r"bigred.*\.(rtf|docx?|odt|html?|pages)",
    )
]
_COPIES = 3


class TooLongError(ValueError):
    """A file is too long for a configuration."""


@dataclass(frozen=True)
class SettingsFile:
    """`file`: the one to use, `text`: its text; `rival`: another that somebody may have meant."""

    file: Path
    text: str
    rival: str = ""


def settings_file(card: Path) -> SettingsFile | None:
    """Find the settings; a file that somebody filled in comes before the original one.

    Raises OSError, or NotTextError or TooLongError about the best one.
    """
    ranked = sorted(
        (rank, file.name, file)
        for file in card.iterdir()
        if (rank := _rank(file.name)) is not None and file.is_file()
    )
    if not ranked:
        return None
    edited = [one for one in ranked if not _is_original(one[2])] or ranked
    _, _, file = edited[0]
    rivals = [name for rank, name, _ in edited[1:] if rank < _COPIES]
    return SettingsFile(file, text_of(file), rivals[0] if rivals else "")


def named(card: Path, name: str) -> Path | None:
    """Find a file on the card whatever the case of its letters, also with a hidden ending."""
    wanted = (name.casefold(), f"{name}.txt".casefold())
    found = [file for file in card.iterdir() if file.name.casefold() in wanted]
    return min(found, key=lambda file: wanted.index(file.name.casefold()), default=None)


def text_of(file: Path) -> str:
    """Read a text file. Raises OSError, NotTextError or TooLongError."""
    with file.open("rb") as source:
        raw = source.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES or len(text := decoded(raw)) >= _MOST_CHARACTERS:
        raise TooLongError
    return text


def _rank(name: str) -> int | None:
    return next((at for at, known in enumerate(_NAMES) if known.fullmatch(name)), None)


def _is_original(file: Path) -> bool:
    try:
        return text_of(file).split() == example().split()
    except (OSError, NotTextError, TooLongError):
        return False
