"""What an app is asked to prove its release, and what its answers mean. Pure.

A release proves itself in the way that was recorded when it was submitted, or in the way that the
configuration asks for now: so neither a marker that changes from release to release nor one that is
corrected afterwards makes a good release unrecognisable.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bigred_server.model.marker import MarkerSettings
from bigred_server.model.release import Release
from bigred_server.rollout.core.observation import UNKNOWN_DIGEST


@dataclass(frozen=True)
class Question:
    """One way to ask. `proven`: by each answer that proves a release, that release's marker."""

    marker: MarkerSettings
    proven: Mapping[str, str] = field(default_factory=dict)

    @property
    def wanted(self) -> str:
        """What the answer should have been, in words; "" if that depends on the release."""
        if len(set(self.proven.values())) != 1:
            return ""
        statuses = " or ".join(str(status) for status in self.marker.statuses)
        release = next(iter(self.proven))
        return f"status {statuses} and release {release!r} in {self.marker.place}"


def questions(
    now: MarkerSettings, known: Iterable[Release], digest: str | None
) -> Sequence[Question]:
    """Return what to ask a node whose WAR has this digest, the most promising first.

    `now`: the marker of the configuration. `digest`: as in HostLook. If the WAR can't be read, any
    known release may be running.
    """
    is_unread = digest in (None, UNKNOWN_DIGEST)
    found = [release for release in known if is_unread or release.digest == digest]
    ways: dict[MarkerSettings, dict[str, str]] = {now: {}} if is_unread or not found else {}
    for release in found:
        ways.setdefault(release.proof or now, {})[release.marker] = release.marker
    for release in found:
        if answer := now.expected(release.version, release.commit, release.digest):
            ways.setdefault(now, {}).setdefault(answer, release.marker)
    return [Question(marker, proven) for marker, proven in ways.items()]
