"""The names of HAProxy's backends and servers: what may stand in a command to it. Pure.

A ";" or a line break in a name would begin another command. Source: HAProxy's configuration manual,
2.2: letters, digits, "-", "_", "." and ":".
"""

import re

_NAME = re.compile(r"[A-Za-z0-9_.:-]+")


def is_name(text: str) -> bool:
    """Return whether HAProxy accepts a text as a name."""
    return _NAME.fullmatch(text) is not None


def checked(text: str) -> str:
    """Return a name that a person wrote. Raise ValueError if it is none."""
    if not is_name(text):
        raise ValueError(
            f"{text!a} is not a name in HAProxy: it has only A-Z, a-z, 0-9, '-', '_', '.' and ':'"
        )
    return text
