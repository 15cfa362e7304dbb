"""A notice: what happened to an app, for people who look at neither box nor terminal. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bigred_broker.messages import Phase
from bigred_server.model.build import Build, told
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
    When.FAILED: "failed: a person must look",
}
_GOOD = frozenset({When.SUCCEEDED})
_NEUTRAL = frozenset({When.STARTED, When.CANDIDATE})


def when(record: DeploymentRecord, phase: Phase) -> When | None:
    """Say as what a phase is told; what Jenkins does begins with its build."""
    if record.trail is not None and phase is Phase.ROLLING:
        return When.STARTED
    return OF_PHASE.get(phase)


@dataclass(frozen=True)
class Notice:
    """What is told. `kind`: "success", "info" or "warning", as apprise has it."""

    when: When
    title: str
    body: str

    @property
    def kind(self) -> str:
        """How it is to look."""
        if self.when in _GOOD:
            return "success"
        return "info" if self.when in _NEUTRAL else "warning"


def of_deployment(
    when: When, record: DeploymentRecord, release: Release, before: Release | None, link: str
) -> Notice:
    """Tell of a deployment; `before`: the release that was live until then."""
    lines = [f"asked for by {record.who}"]
    if record.reason:
        lines.append(record.reason)
    lines += _what(release.since(before), before)
    lines.append(f"receipt: {link}" if record.phase.is_outcome else f"follow it: {link}")
    return Notice(when, f"{record.app} {release.version} {_TITLES[when]}", "\n".join(lines))


def of_candidate(release: Release, live: Release | None) -> Notice:
    """Tell that a release is ready, and waits."""
    author = f" by {release.author}" if release.author else ""
    lines = _what(release.since(live), live) or [release.message or "nothing is said of it"]
    title = f"{release.app} {release.version}{author} is ready to be deployed"
    return Notice(When.CANDIDATE, title, "\n".join(lines))


def of_build(build: Build) -> Notice:
    """Tell that a build failed."""
    title = f"{build.app} build {build.number} failed"
    lines = [told(build), build.message, f"log: bigred build log {build.number} {build.test}"]
    return Notice(When.BUILD_FAILED, title, "\n".join(line.strip() for line in lines if line))


def _what(changes: Sequence[Change], before: Release | None) -> list[str]:
    if not changes:
        return []
    since = f" since {before.version}" if before else ""
    lines = [f"{counted(len(changes))}{since}:"]
    lines += [f"- {one.message} ({one.author})" for one in changes[:_MOST_CHANGES]]
    if len(changes) > _MOST_CHANGES:
        lines.append(f"- and {len(changes) - _MOST_CHANGES} more")
    return lines
