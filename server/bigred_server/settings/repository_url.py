"""The path or URL of a repository: nothing that git or hg would run as a command. Pure."""

import re

_SCHEMES = ("https", "http", "ssh", "git+ssh", "ssh+git", "git", "file")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# "ext::sh -c ..." and other helpers of git.
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")
# The host, behind an optional user, in "ssh://user@host/path" or "user@host:path".
_HOST_OPTION = re.compile(r"([^/]*://)?([^/@]*@)?-")
_BAD_IN_BRANCH = re.compile(r"[\s~^:?*\[\\]|\.\.|@\{|//|^/|/$|\.lock$|\.$")


def checked(text: str) -> str:
    """Return the path or URL that a person wrote. Raise ValueError if it is not to be used."""
    _need_plain(text)
    if _HELPER.match(text):
        raise ValueError(f"{text!r} makes git run a helper; {_instead()}")
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() not in _SCHEMES:
        raise ValueError(f"{text!r} begins with {scheme[0]!r}; {_instead()}")
    if _HOST_OPTION.match(text):
        raise ValueError(f"{text!r} can't begin with '-', nor can its host")
    return text


def checked_branch(text: str) -> str:
    """Return a branch as git accepts it. Raise ValueError if the text is none."""
    _need_plain(text)
    if text.startswith("-"):
        raise ValueError(f"{text!r} can't begin with '-'")
    if _BAD_IN_BRANCH.search(text):
        raise ValueError(f"{text!r} is not the name of a branch in git")
    return text


def _need_plain(text: str) -> None:
    if not text.isprintable() or text != text.strip():
        raise ValueError(f"{text!a} has a control character, or a blank at an end")


def _instead() -> str:
    return f"use a path, 'user@host:path', or one of {', '.join(f'{one}://' for one in _SCHEMES)}"
