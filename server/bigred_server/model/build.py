"""A build: one commit on its way to a release. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bigred_server.model.release import Stage

# Builds that have not begun, and builds that are running or were when a server stopped.
WAITING = frozenset({Stage.SUBMITTED})
UNDER_WAY = frozenset({Stage.BUILDING, Stage.TESTING})
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True)
class Build:
    """One commit of one app, submitted by `who`.

    `number` counts the builds of an app. `stage`: as for a release; `test`: the test stage that it
    is in or ended in, "" for none. `reason`: why it ended as it did. `digest`: of the resulting
    release. Times are seconds of Unix time.
    """

    id: str
    number: int
    app: str
    commit: str
    branch: str
    who: str
    handed_in_at: float
    stage: Stage = Stage.SUBMITTED
    test: str = ""
    reason: str = ""
    author: str = ""
    message: str = ""
    version: str = ""
    digest: str | None = None
    started_at: float | None = None
    ended_at: float | None = None


def build_text(build: Build) -> str:
    """Describe the state of a build in a sentence."""
    what = f"build {build.number} of {build.commit[:12]}"
    if build.author:
        what += f" by {build.author}"
    match build.stage:
        case Stage.TESTING:
            return f"{what} is being tested: {build.test}"
        case Stage.READY:
            return f"{what} is ready as {build.version}"
        case Stage.TESTED:
            return f"{what} is tested as {build.version} and waits to be promoted"
        case Stage.FAILED:
            return f"{what} failed: {build.reason}"
        case Stage.SUPERSEDED:
            return f"{what} is superseded: {build.reason}"
        case _:
            return f"{what} is {build.stage}"


def is_commit(text: str) -> bool:
    """Return whether a text is a commit id: 7 to 64 hexadecimal digits."""
    return _COMMIT.fullmatch(text) is not None


def next_of(builds: Sequence[Build]) -> Build | None:
    """Choose the next build: one that was running when a server stopped, or else the newest.

    A newer commit supersedes waiting builds, but never one that is running.
    """
    under_way = [one for one in builds if one.stage in UNDER_WAY]
    waiting = [one for one in builds if one.stage in WAITING]
    chosen = min(under_way, key=_number, default=None)
    return chosen or max(waiting, key=_number, default=None)


def superseded(builds: Sequence[Build]) -> list[Build]:
    """List the waiting builds that a newer waiting build supersedes."""
    waiting = sorted((one for one in builds if one.stage in WAITING), key=_number)
    return waiting[:-1]


def _number(build: Build) -> int:
    return build.number


def free_version(wanted: str, taken: Sequence[str]) -> str:
    """Return a version that no release has yet: the wanted one, with a number added if needed."""
    number, version = 1, wanted
    while version in taken:
        number += 1
        version = f"{wanted}.{number}"
    return version
