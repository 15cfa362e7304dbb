"""Parses the text protocol of Tomcat's Manager. Pure.

Every answer has status 200. Its first line begins with the result: "OK", or "FAIL" in the language
that the request asked for. Source: Tomcat's ManagerServlet and its LocalStrings.
"""

import html
import re
from collections.abc import Sequence

from bigred_server.rollout.core import context_version
from bigred_server.rollout.core.observation import Version

_OK = "OK"
_BUSY = "already being serviced"
_RUNNING = "running"
_SHOWN = 300
_FOLDER = re.compile(r".*[/\\]")
_START = re.compile(r"\s*startTime: ([0-9]+)")


def complaint(lines: Sequence[str]) -> str:
    """Return the first line that does not report success, "" if all do.

    One is enough: a FAIL may be followed by an "OK", and an "OK - Undeployed" by a FAIL.
    """
    if not lines:
        return "nothing"
    failed = next((line for line in lines if not line.startswith(_OK)), "")
    return html.unescape(failed)[:_SHOWN]  # Tomcat escapes the names in some lines


def is_busy(line: str) -> bool:
    """Return whether a complaint (in English) is that Tomcat already works on this context."""
    return _BUSY in line


def versions(lines: Sequence[str], context: str) -> tuple[Version, ...]:
    """Parse a list: return the contexts of a path ("" for the root), the one Tomcat prefers last.

    A line is `/path:running:sessions:docBase`, where the docBase ends in `name##version`, with
    or without `.war`.
    """
    start = f"{context or '/'}:"
    rows = (line[len(start) :].split(":", 2) for line in lines if line.startswith(start))
    return tuple(sorted(_version(*row) for row in rows if len(row) == 3))


def _version(state: str, sessions: str, place: str) -> Version:
    _, _, name = _FOLDER.sub("", place).removesuffix(".war").partition("##")
    return Version(
        name=name,
        digest=context_version.digest_of(name),
        running=state == _RUNNING,
        sessions=int(sessions) if sessions.isdecimal() else 0,
    )


def leaks(lines: Sequence[str], context: str) -> int:
    """Count an app's stopped instances, among those listed, whose classes are still in memory."""
    wanted = context or "/"
    return sum(line.partition("##")[0] == wanted for line in lines)


def started_at(lines: Sequence[str]) -> float | None:
    """Parse when the JVM was started (seconds of UTC) from the lines of `vminfo`."""
    found = next((found for line in lines if (found := _START.fullmatch(line))), None)
    return int(found[1]) / 1000 if found else None
