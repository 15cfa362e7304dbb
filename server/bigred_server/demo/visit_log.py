"""Visits: what became of the sessions of the shop's regulars, one line a visit.

A visit begins with the login and counts for the session that was made by it. When that one is lost
the user logs in again and goes on, but the visit is lost, once.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path


class VisitOutcome(StrEnum):
    """What became of a visit's session."""

    OPEN = "open"  # known to the end of the traffic
    ENDED = "ended"  # known until its user logged out
    LOST = "lost"  # unknown to the shop while its user was logged in


@dataclass(frozen=True)
class Visit:
    """One user's session: when it began and ended (monotonic seconds), and what became of it.

    `node`: where it was made, by HAProxy's sticky cookie, "" without one. A lost one ended when
    its user heard of it.
    """

    user: int
    node: str
    begun_s: float
    ended_s: float
    fate: VisitOutcome


def write(file: Path, visits: Iterable[Visit]) -> None:
    """Write one line of JSON for each visit."""
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(f"{json.dumps(asdict(one))}\n" for one in visits)


def read(file: Path) -> list[Visit]:
    """Read what `write` wrote."""
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return [Visit(**{**row, "fate": VisitOutcome(row["fate"])}) for row in rows]


def lost(visits: Iterable[Visit]) -> list[Visit]:
    """Give the visits whose session was lost, in the order in which that was noticed."""
    return sorted(
        (one for one in visits if one.fate is VisitOutcome.LOST), key=lambda one: one.ended_s
    )
