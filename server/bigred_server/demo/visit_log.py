"""The visits of returning users: what became of their sessions, one line per visit.

A visit begins with a login and lasts as long as the session created by it. If the session is lost,
the visit counts as lost, once; the user logs in again and continues without a visit.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path


class VisitOutcome(StrEnum):
    """What became of a visit's session."""

    OPEN = "open"  # alive until the end of the traffic
    ENDED = "ended"  # alive until its user logged out
    LOST = "lost"  # lost by the shop while its user was logged in


@dataclass(frozen=True)
class Visit:
    """One user's session: when it began and ended (monotonic seconds), and what became of it.

    `node`: where it was created according to HAProxy's sticky cookie, "" without one. A lost
    session ends when its user notices.
    """

    user: int
    node: str
    begun_s: float
    ended_s: float
    fate: VisitOutcome


def write(file: Path, visits: Iterable[Visit]) -> None:
    """Write one line of JSON per visit."""
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(f"{json.dumps(asdict(one))}\n" for one in visits)


def read(file: Path) -> list[Visit]:
    """Read a file written by `write`."""
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return [Visit(**{**row, "fate": VisitOutcome(row["fate"])}) for row in rows]


def lost(visits: Iterable[Visit]) -> list[Visit]:
    """Return the visits whose session was lost, in the order in which this was noticed."""
    return sorted(
        (one for one in visits if one.fate is VisitOutcome.LOST), key=lambda one: one.ended_s
    )
