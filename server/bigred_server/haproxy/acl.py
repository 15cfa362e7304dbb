"""The conditions of HAProxy's rules, `if` and `unless`: what they can come out as. Pure.

A criterion is judged by the caller, who gives every value that it can have: {True}, {False}, both,
or {None} where nobody can say.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

from bigred_server.haproxy.config_conditions import Truth, both, negated
from bigred_server.haproxy.config_words import Words

Values = frozenset[Truth]
Judge = Callable[[Words], Values]

ALWAYS: Values = frozenset({True})
NEVER: Values = frozenset({False})
EITHER: Values = frozenset({True, False})
UNKNOWN: Values = frozenset({None})

# Defined by HAProxy itself.
_METHODS = ("CONNECT", "DELETE", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
_PREDEFINED: dict[str, list[Words]] = {
    "TRUE": [("always_true",)],
    "FALSE": [("always_false",)],
    "LOCALHOST": [("src", "127.0.0.1/8", "::1")],
    "HTTP": [("req.proto_http",)],
    "METH_GET": [("method", "GET", "HEAD")],
    **{f"METH_{name}": [("method", name)] for name in _METHODS},
}


def acls(lines: Iterable[Words]) -> dict[str, list[Words]]:
    """Return the criteria of each `acl` in the lines of a section; any of them fulfils it."""
    found: dict[str, list[Words]] = {}
    for line in lines:
        if line[0] == "acl" and len(line) > 2:
            found.setdefault(line[1], []).append(line[2:])
    return found


def values(condition: Words, named: Mapping[str, list[Words]], judge: Judge) -> Values:
    """Return what `if …` or `unless …` can come out as; without a condition, true."""
    if condition[:1] not in (("if",), ("unless",)):
        return ALWAYS if not condition else UNKNOWN
    found = _any(
        _every(_terms(words), {**_PREDEFINED, **named}, judge) for words in _split(condition[1:])
    )
    return _not(found) if condition[0] == "unless" else found


def criterion(words: Words) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return a criterion's name, its flags (`-i`, `-m str`) and its patterns."""
    flags: list[str] = []
    rest = list(words[1:])
    while rest and rest[0].startswith("-") and rest[0] != "--":
        flags += [rest.pop(0)]
        if flags[-1] in ("-m", "-f", "-M", "-u") and rest:
            flags += [rest.pop(0)]
    return words[0], tuple(flags), tuple(rest[1:] if rest[:1] == ["--"] else rest)


def _split(words: Words) -> Iterable[Words]:
    """Give the alternatives of a condition: what `or` and `||` separate."""
    groups = itertools.groupby(words, lambda word: word in ("or", "||"))
    return [tuple(group) for is_separator, group in groups if not is_separator]


def _terms(words: Words) -> list[tuple[bool, Words]]:
    """Return the terms of one alternative: whether it is negated, and its name or `{ … }`."""
    terms: list[tuple[bool, Words]] = []
    rest, is_negated = list(words), False
    while rest:
        word = rest.pop(0)
        while word.startswith("!"):
            is_negated, word = not is_negated, word[1:]
        if word == "{":
            end = rest.index("}") if "}" in rest else len(rest)
            terms.append((is_negated, ("{", *rest[:end])))
            rest, is_negated = rest[end + 1 :], False
        elif word:
            terms.append((is_negated, (word,)))
            is_negated = False
    return terms


def _every(
    terms: Sequence[tuple[bool, Words]], named: Mapping[str, list[Words]], judge: Judge
) -> Values:
    found = ALWAYS
    for is_negated, words in terms:
        criteria = [words[1:]] if words[0] == "{" else named.get(words[0], [])
        is_known = criteria and all(criteria)
        one = _any(_judged(words, judge) for words in criteria) if is_known else UNKNOWN
        one = _not(one) if is_negated else one
        found = frozenset(both(left, right) for left in found for right in one)
    return found


def _any(alternatives: Iterable[Values]) -> Values:
    found = NEVER
    for one in alternatives:
        neither = frozenset(both(left, right) for left in _not(found) for right in _not(one))
        found = _not(neither)
    return found


def _judged(words: Words, judge: Judge) -> Values:
    constants = {"always_true": ALWAYS, "always_false": NEVER}
    return constants[words[0]] if words[0] in constants else judge(words)


def _not(found: Values) -> Values:
    return frozenset(map(negated, found))
