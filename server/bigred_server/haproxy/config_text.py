"""The text of HAProxy's configuration file, down to the lines that HAProxy acts on: pure.

`.if` is evaluated, and variables have their value in HAProxy's own environment. What can't be known
from here is assumed as the caller says, and reported.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bigred_server.haproxy.config_conditions import Truth, evaluate
from bigred_server.haproxy.config_words import Words, split

_SETENV = re.compile(r"^\s*setenv\s+(\w+)", re.MULTILINE)
_CONDITIONS = (".if", ".elif")

# What an unknown variable is assumed to be, None for not set.
Fill = Callable[[str], str | None]


@dataclass(frozen=True)
class ProcessFacts:
    """What is known of the HAProxy that read the file.

    `environment`: its variables, None if it does not show them. `version`: "" if unknown.
    """

    environment: Mapping[str, str] | None = None
    version: str = ""


NOTHING_KNOWN = ProcessFacts()


@dataclass(frozen=True)
class ConfigText:
    """The lines that count, and what they depend on but nobody knows: conditions, variables.

    A condition that is not in `assumed` counts as false.
    """

    lines: tuple[Words, ...]
    conditions: tuple[str, ...]
    variables: tuple[str, ...]


def own_name(name: str) -> str:
    """Fill in a variable's own name, for people to read."""
    return f"${{{name}}}"


def read(
    text: str, facts: ProcessFacts, assumed: Mapping[str, bool], fill: Fill = own_name
) -> ConfigText:
    """Read a file, or several concatenated in order."""
    reader = _Reader(_Variables(text, facts, fill), facts.version, assumed)
    lines = [words for line in text.splitlines() if (words := reader.read(line))]
    conditions = tuple(dict.fromkeys(reader.conditions))
    return ConfigText(tuple(lines), conditions, tuple(dict.fromkeys(reader.variables.unknown)))


class _Variables:
    """The environment while the file is read; `unknown` names what was needed and missing."""

    def __init__(self, text: str, facts: ProcessFacts, fill: Fill) -> None:
        self.unknown: list[str] = []
        self._is_complete = facts.environment is not None
        self._known: dict[str, str | None] = dict(facts.environment or {})
        self._fill = fill
        # HAProxy shows the value that the file gave; nobody knows the one before that line.
        self._later = set(_SETENV.findall(text))

    def value(self, name: str) -> str | None:
        """Return a variable's value, None if it is not set."""
        if name.startswith("."):
            return name  # HAProxy's own: the file, the line or the section
        if self.is_set(name) is None:
            self.unknown.append(name)
            return self._fill(name)
        return self._known.get(name)

    def is_set(self, name: str) -> Truth:
        """Return whether a variable is set, None if nobody knows."""
        is_known = name not in self._later and (self._is_complete or name in self._known)
        return self._known.get(name) is not None if is_known else None

    def change(self, words: Words) -> None:
        """Follow the lines of `global` that change the environment."""
        keyword, name = words[0], words[1]
        if keyword == "setenv" or (keyword == "presetenv" and self.is_set(name) is False):
            self._known[name] = " ".join(words[2:3])
        elif keyword == "unsetenv":
            self._known |= dict.fromkeys(words[1:])
        else:
            return
        self._later -= set(words[1:])


@dataclass
class _Reader:
    variables: _Variables
    version: str
    assumed: Mapping[str, bool]
    conditions: list[str] = field(default_factory=list)
    # For each open `.if`: whether its lines count, and whether a later part may count instead.
    blocks: list[tuple[bool, bool]] = field(default_factory=list)

    def read(self, line: str) -> Words:
        """Read one line; () if it does not count."""
        start = line.split(maxsplit=1)[:1]
        if start and start[0].startswith("."):
            self._directive(start[0], line)
            return ()
        if not all(counts for counts, _ in self.blocks):
            return ()
        words = split(line, self.variables.value)
        if len(words) > 1 and words[0].endswith("env"):
            self.variables.change(words)
        return words

    def _directive(self, keyword: str, line: str) -> None:
        if keyword == ".if":
            is_live = all(counts for counts, _ in self.blocks)
            holds = is_live and self._holds(line)
            self.blocks.append((holds, is_live and not holds))
        elif keyword in (".elif", ".else") and self.blocks:
            _, is_left = self.blocks.pop()
            holds = is_left and (keyword == ".else" or self._holds(line))
            self.blocks.append((holds, is_left and not holds))
        elif keyword == ".endif" and self.blocks:
            self.blocks.pop()

    def _holds(self, line: str) -> bool:
        before = len(self.variables.unknown)
        words = split(line, self.variables.value)
        is_known = len(self.variables.unknown) == before
        del self.variables.unknown[before:]
        text = " ".join(words[1:])
        found = evaluate(text, self.variables.is_set, self.version) if is_known else None
        if found is None:
            key = line.split("#")[0].strip()
            self.conditions.append(key)
            return self.assumed.get(key, False)
        return found
