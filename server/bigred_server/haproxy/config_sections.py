"""The sections of HAProxy's configuration file, and what belongs to a backend: pure."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bigred_server.haproxy.config_proxy import ConfigLines, Proxy, word_after
from bigred_server.haproxy.config_words import Words

_KINDS = re.compile(
    "global|defaults|frontend|backend|listen|peers|resolvers|mailers|userlist|program|cache|ring|"
    "http-errors|log-forward|log-profile|fcgi-app|crt-store|traces|acme"
)
_ROUTES = ("default_backend", "use_backend")
# A backend whose name is computed for each request.
_DYNAMIC = "%["
_LONGEST_TRACK = 8


@dataclass(frozen=True)
class Section:
    """A section and its lines, split into words; `base`: the defaults it names with `from`."""

    kind: str
    name: str = ""
    base: str = ""
    lines: tuple[Words, ...] = ()


def sections(lines: Sequence[Words]) -> list[Section]:
    """Group the lines of a file into its sections."""
    found: list[Section] = []
    for is_head, group in itertools.groupby(
        lines, lambda words: _KINDS.fullmatch(words[0]) is not None
    ):
        if is_head:
            found += map(_section, group)
        elif found:
            found[-1] = replace(found[-1], lines=tuple(group))
    return found


def proxies(found: Sequence[Section], name: str) -> Iterator[Proxy]:
    """Give the backend with this name; nothing if there is none.

    A frontend that computes the backend's name may lead to it or not: then it is given twice.
    """
    backend = _backend(found, name)
    if backend is None:
        return
    fronts = [(one, _route(one, backend, found)) for one in found]
    certain = [one for one, leads in fronts if leads]
    possible = [one for one, leads in fronts if leads is not False]
    for chosen in [certain, possible] if 0 < len(certain) < len(possible) else [possible]:
        yield _proxy(found, backend, chosen)


def computed_routes(found: Sequence[Section]) -> list[str]:
    """Name the frontends that compute the name of a backend for each request."""
    return [
        f"`use_backend` of {one.name}"
        for one in found
        if any(line[0] in _ROUTES and _DYNAMIC in "".join(line[1:2]) for line in one.lines)
    ]


def _proxy(
    found: Sequence[Section], backend: Section, fronts: Sequence[Section], depth: int = 0
) -> Proxy:
    proxy = Proxy(
        backend.name,
        _effective(found, backend),
        fronts=tuple(ConfigLines(one.name, _effective(found, one)) for one in fronts),
        world=tuple(line for one in found if one.kind == "global" for line in one.lines),
    )
    tracked = [server.value("track") for server in proxy.servers]
    names = dict.fromkeys(track.rpartition("/")[0] or backend.name for track in tracked)
    checkers = [
        proxy if name == backend.name else _proxy(found, other, (), depth + 1)
        for name in names
        if depth < _LONGEST_TRACK and (other := _backend(found, name)) is not None
    ]
    leaves = [leaf for one in checkers for leaf in (one.checkers or (one,))]
    return replace(proxy, checkers=tuple(leaves) or (proxy,))


def _backend(found: Sequence[Section], name: str) -> Section | None:
    named = (one for one in found if one.kind in ("backend", "listen") and one.name == name)
    return next(named, None)


def _section(words: Words) -> Section:
    name = words[1] if len(words) > 1 and words[1] != "from" else ""
    return Section(words[0], name, word_after(words, "from"))


def _effective(found: Sequence[Section], section: Section) -> tuple[Words, ...]:
    before = found[: next(index for index, one in enumerate(found) if one is section)]
    return (*_defaults(before, section.base), *section.lines)


def _defaults(before: Sequence[Section], name: str) -> tuple[Words, ...]:
    # The named defaults, or else the nearest above; these may inherit from others in turn.
    for index in range(len(before) - 1, -1, -1):
        section = before[index]
        if section.kind == "defaults" and (not name or section.name == name):
            inherited = _defaults(before[:index], section.base) if section.base else ()
            return (*inherited, *section.lines)
    return ()


def _route(section: Section, backend: Section, found: Sequence[Section]) -> bool | None:
    """Return whether a section leads to the backend; None if it depends on the request."""
    if section is backend:
        return backend.kind == "listen"
    if section.kind not in ("frontend", "listen"):
        return False
    lines = _effective(found, section)
    if ("disabled",) in lines:
        return False
    named = [line[1] for line in lines if line[0] == "use_backend" and len(line) > 1]
    named += [line[1] for line in lines if line[0] == "default_backend" and len(line) > 1][-1:]
    if backend.name in named:
        return True
    return None if any(_DYNAMIC in name for name in named) else False
