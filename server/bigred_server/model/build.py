"""A build: one commit on its way to a release. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bigred_server.model.release import Stage

# What has not been begun, and what a server was at when it ended.
WAITING = frozenset({Stage.SUBMITTED})
UNDER_WAY = frozenset({Stage.BUILDING, Stage.TESTING})
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True)
class Build:
    """One commit of one app, handed in by `who`.

    `number` counts the builds of an app. `stage`: as a release's; `test`: the test stage that it is
    in or ended in, "" for none. `reason`: why it ended as it did. `digest`: of the release that
    came of it. Times are seconds of Unix time.
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


def told(build: Build) -> str:
    """Say where a build stands."""
    what = f"build {build.number} of {build.commit[:12]}"
    if build.author:
        what += f" by {build.author}"
    match build.stage:
        case Stage.TESTING:
            return f"{what} is being tested: {build.test}"
        case Stage.READY:
            return f"{what} is ready as {build.version}"
        case Stage.TESTED:
            return f"{what} is tested as {build.version}, and waits to be promoted"
        case Stage.FAILED:
            return f"{what} failed: {build.reason}"
        case Stage.SUPERSEDED:
            return f"{what} is superseded: {build.reason}"
        case _:
            return f"{what} is {build.stage}"


def is_commit(text: str) -> bool:
    """Say whether a text names a commit: 7 to 64 hexadecimal digits."""
    return _COMMIT.fullmatch(text) is not None


def next_of(builds: Sequence[Build]) -> Build | None:
    """Choose what is done next: what was under way when a server ended, or else the newest.

    A newer commit supersedes the waiting ones, and never the one that is under way.
    """
    under_way = [one for one in builds if one.stage in UNDER_WAY]
    waiting = [one for one in builds if one.stage in WAITING]
    chosen = min(under_way, key=_number, default=None)
    return chosen or max(waiting, key=_number, default=None)


def superseded(builds: Sequence[Build]) -> list[Build]:
    """List the waiting builds that a newer waiting one makes needless."""
    waiting = sorted((one for one in builds if one.stage in WAITING), key=_number)
    return waiting[:-1]


def _number(build: Build) -> int:
    return build.number


def free_version(wanted: str, taken: Sequence[str]) -> str:
    """Give a version that no release has yet: the wanted one, or with a number behind it."""
    number, version = 1, wanted
    while version in taken:
        number += 1
        version = f"{wanted}.{number}"
    return version
