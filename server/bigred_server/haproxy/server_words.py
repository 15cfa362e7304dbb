"""The keywords of a `server` line in HAProxy's configuration file, with their values: pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bigred_server.haproxy.config_words import Words

# Keywords without a value; every other one is followed by its value.
_FLAGS = re.compile(
    "agent-check|allow-0rtt|backup|check|check-reuse-pool|check-send-proxy|check-ssl|disabled|"
    "check-via-socks4|enabled|force-(?:ssl|tls)v[0-9]+|non-stick|send-proxy(?:-v2(?:-ssl(?:-cn)?)?)?|"
    "ssl|ssl-reuse|stick|strict-maxconn|tfo|tls-tickets"
)
_KINDS = {"server": 2, "server-template": 3}


@dataclass(frozen=True)
class ServerWords:
    """A server line: its name and its keywords, those of `default-server` included.

    `is_template`: it stands for several servers, which have all its keywords in common.
    """

    name: str
    keywords: Mapping[str, str]
    is_template: bool = False

    def value(self, keyword: str) -> str:
        """Return a keyword's value, "" if it has none or is not there."""
        return self.keywords.get(keyword, "")

    def __contains__(self, keyword: str) -> bool:
        """Return whether the server has a keyword."""
        return keyword in self.keywords


def server_words(lines: tuple[Words, ...]) -> tuple[ServerWords, ...]:
    """Return the servers in the lines of a backend; a `default-server` holds for those below it."""
    common: dict[str, str] = {}
    found: list[ServerWords] = []
    for line in lines:
        if line[0] == "default-server":
            common = keywords(line[1:], common)
        elif (skipped := _KINDS.get(line[0], 0)) and len(line) > skipped:
            own = keywords(line[skipped + 1 :], common)
            found.append(ServerWords(line[1], own, line[0] == "server-template"))
    return tuple(found)


def keywords(words: Words, common: Mapping[str, str]) -> dict[str, str]:
    """Return keywords and their values; `no-KEYWORD` takes one of the `common` ones back."""
    found, rest = dict(common), list(words)
    while rest:
        word = rest.pop(0)
        if _FLAGS.fullmatch(word):
            found[word] = ""
        elif word.startswith("no-"):
            found.pop(word.removeprefix("no-"), None)
        else:
            found[word] = rest.pop(0) if rest else ""
    return found
