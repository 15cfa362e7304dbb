"""What Tomcat's Manager says in its text protocol, read. Pure.

Every answer has status 200; whether it went well stands at the beginning of its first line: "OK",
or "FAIL" in the language of whoever asked. Source: Tomcat's ManagerServlet and its LocalStrings.
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
    """Give the first line that tells of no success, "" when all do.

    One is enough: a FAIL may be followed by an "OK", and an "OK - Undeployed" by a FAIL.
    """
    if not lines:
        return "nothing"
    failed = next((line for line in lines if not line.startswith(_OK)), "")
    return html.unescape(failed)[:_SHOWN]  # it escapes the names in some of its lines


def is_busy(line: str) -> bool:
    """Say whether a complaint is that Tomcat is at this very context already; in English."""
    return _BUSY in line


def versions(lines: Sequence[str], context: str) -> tuple[Version, ...]:
    """Read a list: the contexts with a path ("" for the root), the one that Tomcat prefers last.

    A line is `/path:running:sessions:docBase`, where the docBase ends in `name##version`, with
    `.war` or without.
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
    """Count the ended lives of an app, among those found, whose classes are still in memory."""
    wanted = context or "/"
    return sum(line.partition("##")[0] == wanted for line in lines)


def started_at(lines: Sequence[str]) -> float | None:
    """Read when the JVM was started (seconds of UTC) from what it says of itself."""
    found = next((found for line in lines if (found := _START.fullmatch(line))), None)
    return int(found[1]) / 1000 if found else None
