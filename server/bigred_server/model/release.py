"""A release: an immutable WAR named by its SHA-256, and the stage where it stands."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bigred_broker.messages import ChangeNote, ReleaseNote
from bigred_server.errors import UnknownReleaseError

_TOLD = 500
_TOLD_CHANGES = 10
_TOLD_OF_CHANGE = 80
_LEAST_DIGITS = 8
_NAMED = 10


class Stage(StrEnum):
    """Where a release stands, or the commit that it is to be made of.

    TESTED waits for a person to promote it. SUPERSEDED: a newer commit came before its turn.
    """

    SUBMITTED = "submitted"
    BUILDING = "building"
    TESTING = "testing"
    TESTED = "tested"
    READY = "ready"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    LIVE = "live"
    RETIRED = "retired"
    BAD = "bad"


@dataclass(frozen=True)
class Change:
    """One commit: its full id, who made it, and the first line of what it says."""

    commit: str
    author: str
    message: str


@dataclass(frozen=True)
class Release:
    """One release of one app. `marker` is what the running app answers when it is this release.

    `changes`: the commits that it has and that which was live when it was built has not, the newest
    first.
    """

    app: str
    digest: str
    version: str
    marker: str
    stage: Stage
    submitted_at: float
    commit: str = ""
    author: str = ""
    message: str = ""
    size: int = 0
    changes: tuple[Change, ...] = ()

    def since(self, live: "Release | None") -> list[Change]:
        """List the changes that the live release has not: it may be newer than when this was built.

        What both were built with is in both lists.
        """
        known = {change.commit for change in live.changes} | {live.commit} if live else set()
        return [change for change in self.changes if change.commit not in known]

    def note(self, live: "Release | None" = None) -> ReleaseNote:
        """Give the release as it is told to others; long texts are cut to what a message holds.

        With the live one, tell what it changes.
        """
        changes = self.since(live) if live else []
        return ReleaseNote(
            digest=self.digest,
            version=self.version,
            author=self.author[:_TOLD],
            message=self.message[:_TOLD],
            changes=tuple(
                ChangeNote(
                    commit=one.commit,
                    author=one.author[:_TOLD_OF_CHANGE],
                    message=one.message[:_TOLD_OF_CHANGE],
                )
                for one in changes[:_TOLD_CHANGES]
            ),
            changed=len(changes),
        )


def plain(text: str) -> str:
    """Give what others wrote as one line without control characters: no journal keeps a NUL."""
    return "".join(char if char.isprintable() else " " for char in text).strip()


def named(releases: Sequence[Release], app: str, name: str) -> Release:
    """Find a release by its version, or by at least 8 digits that its SHA-256 begins with.

    A version is taken whole: 1.4 never means 1.4.2. Raises UnknownReleaseError when the name is
    nobody's, or could be that of two.
    """
    if found := next((release for release in releases if release.version == name), None):
        return found
    alike = [release for release in releases if release.digest.startswith(name.lower())]
    if len(name) < _LEAST_DIGITS or not alike:
        versions = ", ".join(release.version for release in releases[:_NAMED]) or "none"
        raise UnknownReleaseError(f"there is no {app} {name}; there is: {versions}")
    if len(alike) > 1:
        versions = ", ".join(release.version for release in alike)
        raise UnknownReleaseError(f"{name} begins the SHA-256 of {versions}: write more of it")
    return alike[0]


def live_of(releases: Iterable[Release]) -> Release | None:
    """Pick the release that is live, if any is."""
    return next((release for release in releases if release.stage is Stage.LIVE), None)


def counted(changes: int) -> str:
    """Say how many changes there are."""
    return "1 change" if changes == 1 else f"{changes} changes"


def candidate(releases: list[Release]) -> Release | None:
    """Pick the newest ready release that was submitted after the live one.

    An older one that was passed over is no candidate: pressing the button must never go back.
    """
    live = live_of(releases)
    newest = max(
        (r for r in releases if r.stage is Stage.READY), key=lambda r: r.submitted_at, default=None
    )
    if newest is None or (live and newest.submitted_at < live.submitted_at):
        return None
    return newest
