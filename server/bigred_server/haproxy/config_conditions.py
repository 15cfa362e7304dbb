"""The conditions of `.if` and `.elif` in HAProxy's configuration file: true, false or unknown.

Pure. Unknown (None) is what only HAProxy's binary knows, such as the features it was built with.
"""

import re
from collections.abc import Callable, Sequence

_TOKEN = re.compile(r"\s*(&&|\|\||!|-?\d+|[a-z_]+\([^()]*\)|\(|\))\s*")
_CALL = re.compile(r"([a-z_]+)\((.*)\)", re.DOTALL)
_VERSION = re.compile(r"(\d+)(?:\.(\d+))?(?:-dev(\d+))?(?:\.(\d+))?")

Truth = bool | None
IsSet = Callable[[str], Truth]


def evaluate(text: str, is_set: IsSet, version: str) -> Truth:
    """Evaluate a condition, given which variables are set, and HAProxy's version, "" if unknown."""
    if not text.strip():
        return False
    tokens = _TOKEN.findall(text)
    if _TOKEN.sub("", text):
        return None
    try:
        value, rest = _either(tokens, is_set, version)
    except IndexError:
        return None
    return None if rest else value


def both(one: Truth, other: Truth) -> Truth:
    """Return whether both are true: false as soon as either is, whatever the other."""
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def negated(one: Truth) -> Truth:
    """Return the opposite; what is unknown stays unknown."""
    return None if one is None else not one


def _either(tokens: Sequence[str], is_set: IsSet, version: str) -> tuple[Truth, Sequence[str]]:
    value, rest = _all(tokens, is_set, version)
    while rest and rest[0] == "||":
        other, rest = _all(rest[1:], is_set, version)
        value = negated(both(negated(value), negated(other)))
    return value, rest


def _all(tokens: Sequence[str], is_set: IsSet, version: str) -> tuple[Truth, Sequence[str]]:
    value, rest = _term(tokens, is_set, version)
    while rest and rest[0] == "&&":
        other, rest = _term(rest[1:], is_set, version)
        value = both(value, other)
    return value, rest


def _term(tokens: Sequence[str], is_set: IsSet, version: str) -> tuple[Truth, Sequence[str]]:
    first, rest = tokens[0], tokens[1:]
    if first == "!":
        value, rest = _term(rest, is_set, version)
        return negated(value), rest
    if first == "(":
        value, rest = _either(rest, is_set, version)
        return (value, rest[1:]) if rest[0] == ")" else (None, rest)
    if found := _CALL.fullmatch(first):
        return _predicate(found[1], found[2], is_set, version), rest
    return (int(first) != 0 if first.lstrip("-").isdigit() else None), rest


def _predicate(name: str, argument: str, is_set: IsSet, version: str) -> Truth:
    if name == "defined":
        return is_set(argument.strip())
    one, comma, other = argument.partition(",")
    if name in ("streq", "strneq") and comma:
        return (one == other) is (name == "streq")
    ours, theirs = _version(version), _version(argument.strip())
    if name in ("version_atleast", "version_before") and ours and theirs:
        return (ours >= theirs) is (name == "version_atleast")
    return None


def _version(text: str) -> tuple[int, ...]:
    """Return a version in the order of releases, () for none: 2.4-dev19 is before 2.4."""
    found = _VERSION.match(text)
    if found is None:
        return ()
    is_released = found[3] is None
    return (
        int(found[1]),
        int(found[2] or 0),
        int(is_released),
        int(found[3] or 0),
        int(found[4] or 0),
    )
