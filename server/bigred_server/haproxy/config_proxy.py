"""A backend of HAProxy's configuration file, as HAProxy has it after reading the file: pure."""

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from bigred_server.haproxy.config_words import Words
from bigred_server.haproxy.server_words import ServerWords, server_words

# The last of these in a backend decides how its servers are checked.
_CHECKS = re.compile(
    "httpchk|tcp-check|external-check|ssl-hello-chk|smtpchk|mysql-check|pgsql-check|redis-check|"
    "ldap-check|spop-check"
)
_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "POST"))
_DEFAULT_MODE = "tcp"


@dataclass(frozen=True)
class ConfigLines:
    """The lines that hold for one section, its defaults included; a later line overrides."""

    name: str
    lines: tuple[Words, ...]

    def option(self, name: str) -> Words | None:
        """Return an option's arguments, () for none; None if it is not set or was unset again."""
        found: Words | None = None
        for line in self.lines:
            if line[:2] == ("option", name):
                found = line[2:]
            elif line[:3] in (("no", "option", name), ("default", "option", name)):
                found = None
        return found

    def last(self, *start: str) -> Words | None:
        """Return the rest of the last line that starts with these words, or None."""
        return next(iter(reversed(self.all(*start))), None)

    def all(self, *start: str) -> list[Words]:
        """Return the rest of every line that starts with these words."""
        return [line[len(start) :] for line in self.lines if line[: len(start)] == start]

    def timeout_ms(self, *names: str) -> float | None:
        """Return the first of these timeouts that is set, in milliseconds; None if none is."""
        for name in names:
            if (rest := self.last("timeout", name)) and (ms := duration_ms(rest[0])) is not None:
                return ms
        return None


@dataclass(frozen=True)
class Proxy(ConfigLines):
    """A backend.

    `fronts`: the frontends that lead to it (a `listen` leads to itself). `world`: the lines of
    `global`. `checkers`: the backends whose checks decide about its servers, by `track`; itself
    where it has its own. `others`: what it is as well, if HAProxy has read differently what can't
    be evaluated from here, and `open` names that.
    """

    fronts: tuple[ConfigLines, ...] = ()
    world: tuple[Words, ...] = ()
    checkers: tuple["Proxy", ...] = ()
    others: tuple["Proxy", ...] = ()
    open: tuple[str, ...] = field(default=())

    @property
    def mode(self) -> str:
        """What HAProxy passes on: requests ("http") or connections ("tcp", the default)."""
        return (self.last("mode") or (_DEFAULT_MODE,))[0]

    @property
    def front(self) -> tuple[Words, ...]:
        """The lines of all its frontends."""
        return tuple(line for one in self.fronts for line in one.lines)

    @property
    def binds(self) -> tuple[str, ...]:
        """The addresses that its frontends listen on."""
        named = [rest[0] for one in self.fronts for rest in one.all("bind") if rest]
        return tuple(address for names in named for address in names.split(","))

    @property
    def idle_ms(self) -> float | None:
        """How long a user's connection may be idle; the longest, if its frontends differ."""
        times = [
            one.timeout_ms("http-keep-alive", "http-request", "client")
            for one in self.fronts or (self,)
        ]
        return max((ms for ms in times if ms is not None), default=None)

    @cached_property
    def servers(self) -> tuple[ServerWords, ...]:
        """Its server lines, in order."""
        return server_words(self.lines)

    @property
    def check(self) -> tuple[str, Words]:
        """The option that decides how its servers are checked, and its words; "" for none."""
        found: tuple[str, Words] = ("", ())
        for line in self.lines:
            if line[0] == "option" and line[1:2] and _CHECKS.fullmatch(line[1]):
                found = (line[1], line[2:])
        return found

    @property
    def check_uri(self) -> str:
        """What the checks of its servers request, with its query; "" if that is nothing certain."""
        found = {_check_uri(one) for one in self.checkers or (self,)}
        return found.pop() if len(found) == 1 else ""

    @property
    def check_path(self) -> str:
        """The path that the checks request, without a query, which may be a secret."""
        return urlsplit(self.check_uri).path


def word_after(words: Words, key: str) -> str:
    """Return the word after the last occurrence of a keyword, "" if it does not occur."""
    found = [after for word, after in itertools.pairwise(words) if word == key]
    return found[-1] if found else ""


def duration_ms(text: str) -> float | None:
    """Parse a HAProxy duration (milliseconds if it has no unit); None if it is not a duration."""
    number = text.rstrip("usmhd")
    ms = _MS.get(text[len(number) :])
    return int(number) * ms if ms is not None and number.isdecimal() else None


_MS = {"us": 0.001, "ms": 1.0, "s": 1e3, "m": 60e3, "h": 3600e3, "d": 86_400e3, "": 1.0}


def _check_uri(proxy: Proxy) -> str:
    kind, words = proxy.check
    if kind == "httpchk":
        sent = proxy.last("http-check", "send") or ()
        uri = word_after(sent, "uri") or word_after(sent, "uri-lf")
        return _relative(uri or next(iter(words[1:2] or words[:1]), ""))
    if kind == "tcp-check":
        kinds = ("send", "send-lf")
        return _relative(_sent(line for kind in kinds for line in proxy.all("tcp-check", kind)))
    return ""


def _sent(lines: Iterable[Words]) -> str:
    for rest in lines:
        request = " ".join(rest).split()
        if len(request) > 1 and request[0] in _METHODS:
            return request[1]
    return ""


def _relative(uri: str) -> str:
    """Return a URI without scheme and host; "" if it is no path."""
    if "://" in uri:
        parts = urlsplit(uri)
        uri = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return uri if uri.startswith("/") else ""
