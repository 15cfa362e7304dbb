"""A commit that has a release already: the branch went back to it. Pure."""

from dataclasses import replace

from bigred_server.errors import BuildError
from bigred_server.model.release import Release, Stage

_REFUSALS = {
    Stage.BAD: "{app} {version} was built from it, was rolled back and is bad; if it may be "
    "deployed again: bigred release clear {version}",
    Stage.FAILED: "{app} {version} was built from it and was rejected",
}


def as_newest(release: Release, now: float) -> Release:
    """Return the release as the newest of its app; `now` is Unix time.

    So it becomes the candidate, or, if it is live, nothing else stays one. Raise BuildError if
    people have decided against it.
    """
    if release.stage in _REFUSALS:
        text = _REFUSALS[release.stage]
        raise BuildError(text.format(app=release.app, version=release.version))
    stage = Stage.READY if release.stage is Stage.RETIRED else release.stage
    return replace(release, stage=stage, submitted_at=now)
