"""What the path that HAProxy checks tells about an app, and what it does not. Pure."""

import re

# First parts of paths that say nothing about the context: Tomcat's own apps, and what frameworks
# and people call the page that tells whether an app is well.
_SAYS_NOTHING = re.compile(
    r"manager|host-manager|docs|examples|actuator|management|admin|api|rest|ws|v\d+|q|static|"
    r"(?:health|live|ready|alive|status|ping|probe|check|monitor|metric|info|version|up)[\w.-]*|"
    r"[\w-]*(?:health|status|check|ping|probe|monitor)(?:z|s|ing)?|\..*|.*\.\w{2,4}|cgi-bin",
    re.IGNORECASE,
)
_TOMCATS_OWN = re.compile(r"/(?:manager|host-manager|docs|examples)(?:/.*)?")
# A part that nobody would think up, such as a token, changes so often between letters and digits.
_CHANGE = re.compile(r"[A-Za-z](?=\d)|\d(?=[A-Za-z])")
_SECRET_CHANGES, _SECRET_LENGTH = 4, 12


def context_of(path: str) -> str:
    """Guess the context from a path such as "/shop/health"; "" if it says nothing about it."""
    first, slash, _ = path.removeprefix("/").partition("/")
    if not (slash and first) or re.search(r"[^\w.~-]", first) or _is_secret(first):
        return ""
    return "" if _SAYS_NOTHING.fullmatch(first) else f"/{first}"


def is_tomcats_own(path: str) -> bool:
    """Return whether a path belongs to an app that comes with Tomcat, such as its Manager."""
    return _TOMCATS_OWN.fullmatch(path) is not None


def public(uri: str) -> tuple[str, bool]:
    """Return the path without what may be a secret, "" if it is one; and whether any was left out.

    A configuration file is for everybody to read; HAProxy's own may not be.
    """
    path = re.split(r"[?;#]", uri, maxsplit=1)[0]
    if any(_is_secret(part) for part in path.split("/")):
        return "", True
    return path, path != uri


def _is_secret(part: str) -> bool:
    return len(part) >= _SECRET_LENGTH and len(_CHANGE.findall(part)) >= _SECRET_CHANGES
