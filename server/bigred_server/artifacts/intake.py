"""The intake: a WAR and its metadata become a release."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from bigred_server.artifacts import war, war_check
from bigred_server.artifacts.files import copy
from bigred_server.artifacts.interruptible import in_thread
from bigred_server.artifacts.store import Store
from bigred_server.errors import ReleaseError
from bigred_server.journal import releases
from bigred_server.journal.database import Database
from bigred_server.model.marker import MarkerSettings, MarkerSource
from bigred_server.model.plain_text import (
    MOST_AUTHOR,
    MOST_MESSAGE,
    MOST_NAME,
    commit_of,
    is_version,
    plain,
    version_of,
)
from bigred_server.model.release import Change, Release, Stage


@dataclass(frozen=True)
class Submission:
    """A submitted WAR and its metadata; `stage`: READY, or TESTED if a person must promote it."""

    app: str
    war: Path
    version: str
    commit: str = ""
    author: str = ""
    message: str = ""
    stage: Stage = Stage.READY
    changes: tuple[Change, ...] = ()


def expected_marker(
    marker: MarkerSettings, version: str, commit: str, digest: str, source: Path
) -> str:
    """Return what the running app will answer as its release.

    Raise ReleaseError if the WAR already shows that it will not.
    """
    expected = marker.expected(version, commit, digest)
    if not expected:
        raise ReleaseError(f"the running app is recognised by its {marker.expects}: give one")
    if marker.read is MarkerSource.MANIFEST:
        found = war.manifest(source).get(marker.name)
        if found != expected:
            raise ReleaseError(
                f"{source.name}: {marker.name} in its manifest is {found!r}, not {expected!r}"
            )
    return expected


async def submit(
    db: Database, store: Store, marker: MarkerSettings, submission: Submission
) -> tuple[Release, bool]:
    """Register a release; return it, and whether it is new.

    Submitting the same release again is not an error. Raise ReleaseError if the file is not a WAR,
    exceeds the limits of the store, or if the version exists with other bytes.
    """
    submission = _made_plain(submission)
    if not submission.war.is_file():
        raise ReleaseError(f"{submission.war}: no such file; name the WAR that was built")
    digest = await in_thread(
        lambda checkpoint: store.put(
            submission.war,
            lambda source, part: war_check.take(source, part, store.limits, checkpoint),
        )
    )
    try:
        return await _write(db, store, marker, submission, digest)
    except BaseException:
        async with db.read() as connection:
            # Another app may have the same WAR.
            if not await releases.is_known(connection, digest):
                store.forget(digest)
        raise


def _made_plain(submission: Submission) -> Submission:
    """Return it with plain texts. Raise ReleaseError if version or commit are not plain."""
    return replace(
        submission,
        version=version_of(submission.version),
        commit=commit_of(submission.commit),
        author=plain(submission.author, MOST_AUTHOR),
        message=plain(submission.message, MOST_MESSAGE),
        changes=tuple(change.made_plain() for change in submission.changes),
    )


async def _write(
    db: Database, store: Store, marker: MarkerSettings, submission: Submission, digest: str
) -> tuple[Release, bool]:
    app, version, commit = submission.app, submission.version, submission.commit
    async with db.write() as connection:
        for known in await releases.of_app(connection, app):
            if known.digest == digest and known.version == version:
                return known, False
            if known.digest == digest:
                raise ReleaseError(f"this WAR is already {app} {known.version}")
            if known.version == version:
                raise ReleaseError(
                    f"{app} {version} exists with other bytes (SHA-256 {known.digest[:12]}…); "
                    "versions never change: choose a new one"
                )
        release = Release(
            app=app,
            digest=digest,
            version=version,
            marker=expected_marker(marker, version, commit, digest, store.path(digest)),
            stage=submission.stage,
            submitted_at=time.time(),
            commit=commit,
            author=submission.author,
            message=submission.message,
            size=store.size(digest),
            changes=submission.changes,
            proof=marker,
        )
        await releases.add(connection, release)
    return release, True


async def adopt(
    db: Database, store: Store, marker: MarkerSettings, app: str, source: Path, answered: str
) -> Release:
    """Register a WAR that was live before Bigred was installed, so that it can be rolled back to.

    `answered`: what the app answers as its release; if that is not a version, one is generated.
    The limits of the store don't count: users have it already.
    """
    digest = await in_thread(
        lambda checkpoint: store.put(
            source, lambda source, part: copy(source, part, lambda _copied: checkpoint())
        )
    )
    generated = f"found-{digest[:12]}"
    version = answered if is_version(answered) and marker.expects == "version" else generated
    async with db.write() as connection:
        known = await releases.of_app(connection, app)
        found = next((r for r in known if r.digest == digest), None)
        if found is None:
            if any(r.version == version for r in known):
                version = f"{version[: MOST_NAME - 13]}-{digest[:12]}"
            found = Release(
                app=app,
                digest=digest,
                version=version,
                marker=answered,
                stage=Stage.LIVE,
                # Older than every submitted release, so that the candidate stays one.
                submitted_at=min([r.submitted_at for r in known], default=time.time()) - 1.0,
                message="found on the nodes",
                size=store.size(digest),
                proof=marker,
            )
            await releases.add(connection, found)
        await releases.make_live(connection, app, digest)
    return found
