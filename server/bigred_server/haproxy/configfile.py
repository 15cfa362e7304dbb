"""HAProxy's own configuration file, read as far as a rollout depends on it: pure.

It has what the Runtime API does not report: retries, cookies, timeouts. Bigred reads the file and
never writes it. What counts is what HAProxy makes of it; where that can't be known from here,
every way in which HAProxy may have read the file is tried.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bigred_server.haproxy.config_proxy import Proxy
from bigred_server.haproxy.config_sections import computed_routes, proxies, sections
from bigred_server.haproxy.config_text import (
    NOTHING_KNOWN,
    ConfigText,
    Fill,
    ProcessFacts,
    own_name,
    read,
)

# So many unknown conditions are tried in every combination; of more, all true and all false.
_MOST_CONDITIONS = 3
# What an unknown variable may be, as far as a rule cares; None: it is not set.
_FILLERS = (None, "", "0", "1", "1ms", "1h", "/", "/a/b", "tcp", "http", "none", "global", "always")


def backend(text: str, name: str, facts: ProcessFacts = NOTHING_KNOWN) -> Proxy | None:
    """Return the backend with this name, None if there is none in the file."""
    readings = list(_readings(text, facts, own_name, {}))
    variables = list(dict.fromkeys(name for one in readings for name in one.variables))
    conditions = list(dict.fromkeys(line for one in readings for line in one.conditions))
    if variables:
        fills = [_constant(value) for value in (*_FILLERS, name)]
        readings += [one for fill in fills for one in _readings(text, facts, fill, {})]
    grouped = [sections(one.lines) for one in readings]
    found = list(dict.fromkeys(one for group in grouped for one in proxies(group, name)))
    if not found:
        return None
    first, *others = found
    routes = [route for group in grouped for route in computed_routes(group)] if others else []
    unknown = [f"`{line}`" for line in conditions] + [f"`${{{name}}}`" for name in variables]
    return replace(first, others=tuple(others), open=tuple(dict.fromkeys([*unknown, *routes])))


def _readings(
    text: str, facts: ProcessFacts, fill: Fill, assumed: Mapping[str, bool]
) -> Iterator[ConfigText]:
    """Read the file in every way that its unknown conditions allow."""
    found = read(text, facts, assumed, fill)
    undecided = [line for line in found.conditions if line not in assumed]
    if not undecided:
        yield found
        return
    few = len(assumed) < _MOST_CONDITIONS
    choices = undecided[:1] if few else undecided
    for value in (False, True):
        yield from _readings(text, facts, fill, {**assumed, **dict.fromkeys(choices, value)})


def _constant(value: str | None) -> Fill:
    return lambda _name: value
