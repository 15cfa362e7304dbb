"""A release: an immutable WAR named by its SHA-256, and its stage in the pipeline."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from bigred_broker.messages import ChangeNote, ReleaseNote
from bigred_server.errors import UnknownReleaseError
from bigred_server.model.marker import MarkerSettings
from bigred_server.model.plain_text import MOST_AUTHOR, MOST_MESSAGE, plain

_MOST_TEXT = 500
_MOST_CHANGES = 10
_MOST_CHANGE_TEXT = 80
# A box names two of them, and others.
_MOST_AUTHORS = 3
_LEAST_DIGITS = 8
_LISTED = 10

VersionsByDigest = Mapping[tuple[str, str], str]
"""The versions of releases by app and digest."""


class Stage(StrEnum):
    """The stage of a release, or of the commit that it is built from.

    TESTED: waits for a person to promote it. SUPERSEDED: a newer commit came before its turn.
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
    """One commit: its full id, its author and the first line of its message."""

    commit: str
    author: str
    message: str

    def made_plain(self) -> "Change":
        """Return it with a plain author and message."""
        author, message = plain(self.author, MOST_AUTHOR), plain(self.message, MOST_MESSAGE)
        return Change(self.commit, author, message)


@dataclass(frozen=True)
class Release:
    """One release of one app. `marker`: what the running app answers as its release.

    `proof`: how the app is asked for it, None for a release from before this was recorded.
    `changes`: its commits that the release live at the time of the build does not have, the newest
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
    size: Annotated[int, Field(ge=0)] = 0
    changes: tuple[Change, ...] = ()
    proof: MarkerSettings | None = None

    def since(self, live: "Release | None") -> list[Change]:
        """List the changes that the live release does not have.

        The live release may be newer than the one `changes` refers to; what both were built with is
        in both lists.
        """
        known = {change.commit for change in live.changes} | {live.commit} if live else set()
        return [change for change in self.changes if change.commit not in known]

    def note(self, live: "Release | None" = None) -> ReleaseNote:
        """Return the release as it is published; long texts are cut to fit a message.

        They are made plain again: releases of earlier versions were stored as they came. If `live`
        is given, include what changes relative to it.
        """
        changes = self.since(live) if live else []
        return ReleaseNote(
            digest=self.digest,
            version=plain(self.version, _MOST_TEXT),
            author=plain(self.author, _MOST_TEXT),
            message=plain(self.message, _MOST_TEXT),
            authors=_authors(changes),
            changes=tuple(
                ChangeNote(
                    commit=plain(one.commit, _MOST_TEXT),
                    author=plain(one.author, _MOST_CHANGE_TEXT),
                    message=plain(one.message, _MOST_CHANGE_TEXT),
                )
                for one in changes[:_MOST_CHANGES]
            ),
            changed=len(changes),
        )


def _authors(changes: Sequence[Change]) -> tuple[str, ...]:
    names = dict.fromkeys(one.author for one in changes[:_MOST_CHANGES] if one.author)
    return tuple(plain(name, _MOST_CHANGE_TEXT) for name in names)[:_MOST_AUTHORS]


def named(releases: Sequence[Release], app: str, name: str) -> Release:
    """Find a release by its version, or by at least the first 8 digits of its SHA-256.

    A version must match as a whole: 1.4 never means 1.4.2. Raise UnknownReleaseError if no release
    matches, or more than one.
    """
    if found := next((release for release in releases if release.version == name), None):
        return found
    alike = [release for release in releases if release.digest.startswith(name.lower())]
    if len(name) < _LEAST_DIGITS or not alike:
        versions = ", ".join(release.version for release in releases[:_LISTED]) or "none"
        raise UnknownReleaseError(f"no release {name} of {app}; available: {versions}")
    if len(alike) > 1:
        versions = ", ".join(release.version for release in alike)
        raise UnknownReleaseError(f"{name} begins the SHA-256 of {versions}; give more digits")
    return alike[0]


def live_of(releases: Iterable[Release]) -> Release | None:
    """Return the release that is live, if any is."""
    return next((release for release in releases if release.stage is Stage.LIVE), None)


def counted(changes: int) -> str:
    """Return the number of changes in words: "1 change", "3 changes"."""
    return "1 change" if changes == 1 else f"{changes} changes"


def candidate(releases: list[Release]) -> Release | None:
    """Return the newest ready release that was submitted after the live one.

    An older one that was skipped is not a candidate: pressing the button must never go back.
    """
    live = live_of(releases)
    newest = max(
        (r for r in releases if r.stage is Stage.READY), key=lambda r: r.submitted_at, default=None
    )
    if newest is None or (live and newest.submitted_at < live.submitted_at):
        return None
    return newest
