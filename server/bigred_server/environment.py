"""The environment of commands that the server runs for an app: little of the server's own.

The server's environment may hold tokens and the addresses of its agents; nothing of it is passed on
unless the configuration names it.
"""

import os
from collections.abc import Collection

_PASSED = frozenset({"PATH", "LANG", "LANGUAGE", "TZ"})
_LOCALE = "LC_"
_PATH = "/usr/local/bin:/usr/bin:/bin"


def minimal(inherit: Collection[str] = ()) -> dict[str, str]:
    """Return PATH, the language and the time zone of the server, and the variables of `inherit`."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or name.startswith(_LOCALE) or name in inherit
    }
    return {"PATH": _PATH, **passed}
