"""A release: an immutable WAR named by its SHA-256, and the stage where it stands."""

from dataclasses import dataclass
from enum import StrEnum

from bigred_broker.messages import ReleaseNote

_TOLD = 500


class Stage(StrEnum):
    """Where a release stands."""

    SUBMITTED = "submitted"
    BUILDING = "building"
    TESTING = "testing"
    READY = "ready"
    FAILED = "failed"
    LIVE = "live"
    RETIRED = "retired"
    BAD = "bad"


@dataclass(frozen=True)
class Release:
    """One release of one app. `marker` is what the running app answers when it is this release."""

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

    def note(self) -> ReleaseNote:
        """Give the release as it is told to others; long texts are cut to what a message holds."""
        return ReleaseNote(
            digest=self.digest,
            version=self.version,
            author=self.author[:_TOLD],
            message=self.message[:_TOLD],
        )


def candidate(releases: list[Release]) -> Release | None:
    """Pick the newest ready release that was submitted after the live one.

    An older one that was passed over is no candidate: pressing the button must never go back.
    """
    live = [r.submitted_at for r in releases if r.stage is Stage.LIVE]
    newest = max(
        (r for r in releases if r.stage is Stage.READY), key=lambda r: r.submitted_at, default=None
    )
    if newest is None or (live and newest.submitted_at < max(live)):
        return None
    return newest
