"""Notices: what happened to an app, for people away from the box and the terminal. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bigred_broker.messages import Phase
from bigred_server.model.build import Build, build_text
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Change, Release, counted
from bigred_server.settings.notify import When

_MOST_CHANGES = 20
OF_PHASE = {
    Phase.CANARY: When.STARTED,
    Phase.HOLDING: When.HOLDING,
    Phase.ROLLING_BACK: When.ROLLING_BACK,
    Phase.SUCCEEDED: When.SUCCEEDED,
    Phase.ROLLED_BACK: When.ROLLED_BACK,
    Phase.ABORTED: When.ABORTED,
    Phase.FAILED: When.FAILED,
}
_TITLES = {
    When.STARTED: "is being deployed",
    When.HOLDING: "is held",
    When.ROLLING_BACK: "is being rolled back",
    When.SUCCEEDED: "is live",
    When.ROLLED_BACK: "was rolled back",
    When.ABORTED: "was aborted",
    When.FAILED: "failed and needs a person",
}
_GOOD = frozenset({When.SUCCEEDED})
_NEUTRAL = frozenset({When.STARTED, When.CANDIDATE})


def when(record: DeploymentRecord, phase: Phase) -> When | None:
    """Return the event to notify of for a phase; a Jenkins deployment starts with its build."""
    if record.trail is not None and phase is Phase.ROLLING:
        return When.STARTED
    return OF_PHASE.get(phase)


@dataclass(frozen=True)
class Notice:
    """The text of one notice, and the event that it is about."""

    when: When
    title: str
    body: str

    @property
    def kind(self) -> str:
        """The type of the notice in apprise: "success", "info" or "warning"."""
        if self.when in _GOOD:
            return "success"
        return "info" if self.when in _NEUTRAL else "warning"


def of_deployment(
    when: When, record: DeploymentRecord, release: Release, before: Release | None, link: str
) -> Notice:
    """Return the notice of a deployment; `before`: the release that was live until then."""
    lines = [f"requested by {record.who}"]
    if record.reason:
        lines.append(record.reason)
    lines += _changes(release.since(before), before)
    lines.append(f"receipt: {link}" if record.phase.is_outcome else f"follow: {link}")
    return Notice(when, f"{record.app} {release.version} {_TITLES[when]}", "\n".join(lines))


def of_candidate(release: Release, live: Release | None) -> Notice:
    """Return the notice of a release that is ready to be deployed."""
    author = f" by {release.author}" if release.author else ""
    lines = _changes(release.since(live), live) or [release.message or "no description"]
    title = f"{release.app} {release.version}{author} is ready to be deployed"
    return Notice(When.CANDIDATE, title, "\n".join(lines))


def of_build(build: Build) -> Notice:
    """Return the notice of a failed build."""
    title = f"{build.app} build {build.number} failed"
    lines = [build_text(build), build.message, f"log: bigred build log {build.number} {build.test}"]
    return Notice(When.BUILD_FAILED, title, "\n".join(line.strip() for line in lines if line))


def _changes(changes: Sequence[Change], before: Release | None) -> list[str]:
    if not changes:
        return []
    since = f" since {before.version}" if before else ""
    lines = [f"{counted(len(changes))}{since}:"]
    lines += [f"- {one.message} ({one.author})" for one in changes[:_MOST_CHANGES]]
    if len(changes) > _MOST_CHANGES:
        lines.append(f"- and {len(changes) - _MOST_CHANGES} more")
    return lines
