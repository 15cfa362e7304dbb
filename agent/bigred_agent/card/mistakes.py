"""The mistakes of people on a card. Their words are in `mistakes.toml`."""

import tomllib
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from importlib import resources

from pydantic_core import PydanticCustomError


@dataclass(frozen=True)
class Complaint:
    """One problem of a card: `said` is a sentence with its fix, `written` has the details."""

    said: str
    written: str


class Mistake(Enum):
    """The kinds of mistakes."""

    # The whole file
    NO_FILE = auto()
    UNREADABLE = auto()
    NOT_TEXT = auto()
    TOO_LONG = auto()
    TWO_FILES = auto()
    # Lines
    NOT_UNDERSTOOD = auto()
    NO_EQUALS = auto()
    UNKNOWN_KEY = auto()
    MISSPELT_KEY = auto()
    REPEATED = auto()
    REPEATED_HEADING = auto()
    NO_HEADING = auto()
    COMMENTED_HEADING = auto()
    WRONG_HEADING = auto()
    # Values
    NO_END_QUOTE = auto()
    NO_FIRST_QUOTE = auto()
    AFTER_QUOTE = auto()
    NEEDS_QUOTES = auto()
    NUMBER = auto()
    FLAG = auto()
    PINS = auto()
    INVALID = auto()
    EMPTY = auto()
    # The box
    NO_NAME = auto()
    NAME_LETTERS = auto()
    NAME_TOO_LONG = auto()
    LANGUAGE = auto()
    PHRASES = auto()
    PRIVATE_KEY = auto()
    PUBLIC_KEY = auto()
    # The broker
    NO_BROKER = auto()
    NO_HOST = auto()
    HOST = auto()
    WEB_ADDRESS = auto()
    SCHEME = auto()
    HOST_PORT = auto()
    TWO_PORTS = auto()
    TWO_LOGINS = auto()
    NEEDS_CA = auto()
    PORT = auto()
    CARD_FILE = auto()
    NO_CARD_FILE = auto()
    CERTIFICATE_PAIR = auto()
    CERTIFICATE_CA = auto()
    NOT_PEM = auto()
    KEY_MISMATCH = auto()
    NOT_STORED = auto()
    # Wi-Fi
    NO_SSID = auto()
    NO_COUNTRY = auto()
    SSID = auto()
    WIFI_SHORT = auto()
    WIFI_LONG = auto()
    WIFI_CHARACTERS = auto()
    COUNTRY = auto()

    def at(self, line: int | None = None, **details: object) -> Complaint:
        """Return the complaint about a line, or about the whole file."""
        words = templates()[self.name.lower()]
        said, written = (words[which].format(**details) for which in ("said", "written"))
        if line is None:
            return Complaint(said, written)
        return Complaint(f"In line {line}, {said}", f"line {line}: {written}")

    def error(self, **details: object) -> PydanticCustomError:
        """Return the error of a model's validator; `mistake_of` finds the mistake again."""
        return PydanticCustomError(self.name.lower(), "see mistakes.toml", details)


def mistake_of(kind: str) -> Mistake | None:
    """Return the mistake that a validator reported; None for pydantic's own kinds of errors."""
    return Mistake.__members__.get(kind.upper())


@cache
def templates() -> dict[str, dict[str, str]]:
    """Return the words of all mistakes: `said` and `written`, with placeholders."""
    file = resources.files(__package__).joinpath("mistakes.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))
