"""What others write about a release, before anything stores, shows or speaks it. Pure.

Versions and commits are names: people compare them, copy them into commands and links, and a
running app answers with them. So they are refused if they are not plain. Authors, messages and
whatever else is only shown are made plain.
"""

import re

from bigred_server.errors import ReleaseError

MOST_NAME = 100
MOST_WHO = 64
MOST_AUTHOR = 200
MOST_MESSAGE = 2000
_SIGNS = ". _ + - ~ : @ / , ="
# No blank, no quote and nothing else that means something to a shell: Bigred's own hints say
# `bigred release clear VERSION`.
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9{re.escape(_SIGNS.replace(' ', ''))}]*")


def plain(text: str, most: int | None = None) -> str:
    """Return others' text as one line, cut to `most` characters.

    It has no control characters (no journal can store a NUL), nothing that turns the direction of
    writing or has no width, no halves of characters and none that Unicode does not know.
    """
    line = "".join(char if char.isprintable() else " " for char in text).strip()
    return line if most is None else line[:most].rstrip()


def version_of(text: str) -> str:
    """Return a version. Raise ReleaseError, saying what it may be, if the text is none."""
    if not _is_name(text):
        raise ReleaseError(_refusal(text, "a version"))
    return text


def commit_of(text: str) -> str:
    """Return the id of a commit, "" for none. Raise ReleaseError if the text is none."""
    if text and not _is_name(text):
        raise ReleaseError(_refusal(text, "the id of a commit"))
    return text


def is_version(text: str) -> bool:
    """Return whether a text can be a version."""
    return _is_name(text)


def _is_name(text: str) -> bool:
    if len(text) > MOST_NAME or not _NAME.fullmatch(text):
        return False
    # A version is part of an address, where these would be resolved away.
    return not {"", ".", ".."} & set(text.split("/"))


def _refusal(text: str, what: str) -> str:
    shown = ascii(text if len(text) <= MOST_NAME else f"{text[:MOST_NAME]}...")
    return (
        f"{shown} is not {what}: use 1 to {MOST_NAME} of A-Z, a-z, 0-9 and {_SIGNS}, with a letter "
        "or digit first and no '..' between slashes"
    )
