"""HAProxy's own configuration file, parsed as far as a rollout depends on it: pure.

It has what the Runtime API does not report: retries, cookies, timeouts. Bigred reads the file and
never writes it.
"""

import itertools
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_SECTIONS = re.compile(
    "global|defaults|frontend|backend|listen|peers|resolvers|mailers|userlist|program|cache|ring|"
    "http-errors|log-forward|fcgi-app|crt-list"
)
_MS = {"us": 0.001, "ms": 1.0, "s": 1e3, "m": 60e3, "h": 3600e3, "d": 86_400e3, "": 1.0}

Words = tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A section and its lines, split into words; `base`: the defaults it names with `from`."""

    kind: str
    name: str = ""
    base: str = ""
    lines: tuple[Words, ...] = ()


@dataclass(frozen=True)
class Proxy:
    """A backend with the lines its defaults give it; a later line overrides an earlier one.

    `front`: the lines of the frontends that route to it. `world`: the lines of `global`. `binds`:
    the addresses those frontends listen on.
    """

    name: str
    lines: tuple[Words, ...]
    front: tuple[Words, ...] = ()
    world: tuple[Words, ...] = ()
    binds: tuple[str, ...] = field(default=())

    def option(self, name: str) -> Words | None:
        """Return an option's arguments, () for none; None if it is not set or was unset again."""
        found: Words | None = None
        for line in self.lines:
            if line[:2] == ("option", name):
                found = line[2:]
            elif line[:3] == ("no", "option", name):
                found = None
        return found

    def last(self, *start: str) -> Words | None:
        """Return the rest of the last line that starts with these words, or None."""
        rests = [line[len(start) :] for line in self.lines if line[: len(start)] == start]
        return rests[-1] if rests else None

    def all(self, *start: str) -> list[Words]:
        """Return the rest of every line that starts with these words, including the frontends'."""
        lines = (*self.front, *self.lines)
        return [line[len(start) :] for line in lines if line[: len(start)] == start]

    def timeout_ms(self, name: str) -> float | None:
        """Return a timeout in milliseconds, None if it is not set."""
        rest = self.last("timeout", name)
        return duration_ms(rest[0]) if rest else None

    @property
    def servers(self) -> dict[str, Words]:
        """The keywords of each server, preceded by those of `default-server`."""
        common = tuple(word for rest in self.all("default-server") for word in rest)
        named = self.all("server") + self.all("server-template")
        return {rest[0]: (*common, *rest[2:]) for rest in named if len(rest) > 1}

    @property
    def check_path(self) -> str:
        """The path that `http-check send` or `option httpchk` requests; "" if neither names one."""
        sent = self.last("http-check", "send") or ()
        if path := word_after(sent, "uri"):
            return path
        words = self.option("httpchk") or ()
        return next((word for word in words if word.startswith("/")), "")


def parse(text: str) -> list[Section]:
    """Parse the sections of one configuration file, or of several concatenated in order."""
    sections: list[Section] = []
    lines: list[Words] = []
    for words in _words(text):
        if _SECTIONS.fullmatch(words[0]):
            lines = []
            sections.append(_section(words))
        elif sections:
            lines.append(words)
            sections[-1] = _with(sections[-1], lines)
    return sections


def proxy(sections: Sequence[Section], name: str) -> Proxy | None:
    """Return the backend with this name, None if there is none."""
    for index, section in enumerate(sections):
        if section.kind in ("backend", "listen") and section.name == name:
            inherited = _defaults(sections[:index], section.base)
            fronts = [one for one in sections if _routes_to(one, section)]
            return Proxy(
                name=name,
                lines=(*inherited, *section.lines),
                front=tuple(line for one in fronts for line in one.lines),
                world=tuple(line for one in sections if one.kind == "global" for line in one.lines),
                binds=tuple(
                    address
                    for one in fronts
                    for line in one.lines
                    if line[0] == "bind" and len(line) > 1
                    for address in line[1].split(",")
                ),
            )
    return None


def word_after(words: Words, key: str) -> str:
    """Return the word after the last occurrence of a keyword, "" if it does not occur."""
    found = [after for word, after in itertools.pairwise(words) if word == key]
    return found[-1] if found else ""


def duration_ms(text: str) -> float | None:
    """Parse a HAProxy duration (milliseconds if it has no unit); None if it is not a duration."""
    matched = re.fullmatch(r"(\d+)(us|ms|s|m|h|d|)", text)
    return int(matched[1]) * _MS[matched[2]] if matched else None


def _words(text: str) -> Iterator[Words]:
    for line in text.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            # An open quote, which HAProxy refuses too, or quoting that shlex does not know.
            words = line.split()
        if words:
            yield tuple(words)


def _section(words: Words) -> Section:
    name = words[1] if len(words) > 1 and words[1] != "from" else ""
    return Section(words[0], name, word_after(words, "from"))


def _with(section: Section, lines: Sequence[Words]) -> Section:
    return Section(section.kind, section.name, section.base, tuple(lines))


def _defaults(before: Sequence[Section], name: str) -> tuple[Words, ...]:
    # The named defaults, or else the nearest above; these may inherit from others in turn.
    for index in range(len(before) - 1, -1, -1):
        section = before[index]
        if section.kind == "defaults" and (not name or section.name == name):
            inherited = _defaults(before[:index], section.base) if section.base else ()
            return (*inherited, *section.lines)
    return ()


def _routes_to(section: Section, backend: Section) -> bool:
    if section is backend:
        return backend.kind == "listen"
    if section.kind not in ("frontend", "listen"):
        return False
    return any(
        line[0] in ("default_backend", "use_backend") and line[1:2] == (backend.name,)
        for line in section.lines
    )
