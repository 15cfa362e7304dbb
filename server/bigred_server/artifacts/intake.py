"""The intake: a WAR and what is said of it become a ready release."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from bigred_server.artifacts import war
from bigred_server.artifacts.marker import MarkerSettings, MarkerSource
from bigred_server.artifacts.store import Store
from bigred_server.errors import ReleaseError
from bigred_server.journal import releases
from bigred_server.journal.database import Database
from bigred_server.model.release import Change, Release, Stage

_MAX_VERSION = 100


@dataclass(frozen=True)
class Submission:
    """What is handed in; `stage`: READY, or TESTED where a person is to promote it."""

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
    """Say what the running app will answer as its release.

    Raises ReleaseError when it can be told from the WAR already that it will not.
    """
    expected = {"version": version, "commit": commit, "digest": digest}[marker.expects]
    if not expected:
        raise ReleaseError(f"the app proves its release by the {marker.expects}: name it")
    if marker.read is MarkerSource.MANIFEST:
        said = war.manifest(source).get(marker.name)
        if said != expected:
            raise ReleaseError(
                f"{source.name}: {marker.name} in its manifest is {said!r}, not {expected!r}"
            )
    return expected


async def submit(
    db: Database, store: Store, marker: MarkerSettings, submission: Submission
) -> tuple[Release, bool]:
    """Take a release in; give it, and whether it is new. Submitting the same again is no error.

    Raises ReleaseError when the file is no WAR, or the version exists with other bytes.
    """
    if not 0 < len(submission.version) <= _MAX_VERSION or not submission.version.isprintable():
        raise ReleaseError(
            f"{submission.version!r} is no version: 1 to {_MAX_VERSION} printable characters are"
        )
    # A server that takes it in has others to answer meanwhile.
    await asyncio.to_thread(war.check, submission.war)
    digest = await asyncio.to_thread(store.put, submission.war)
    try:
        return await _write(db, store, marker, submission, digest)
    except BaseException:
        async with db.read() as connection:
            # Another app may have the same WAR.
            if not await releases.is_known(connection, digest):
                store.forget(digest)
        raise


async def _write(
    db: Database, store: Store, marker: MarkerSettings, submission: Submission, digest: str
) -> tuple[Release, bool]:
    app, version, commit = submission.app, submission.version, submission.commit
    async with db.write() as connection:
        for known in await releases.of_app(connection, app):
            if known.digest == digest and known.version == version:
                return known, False
            if known.digest == digest:
                raise ReleaseError(f"these bytes are {app} {known.version} already")
            if known.version == version:
                raise ReleaseError(
                    f"{app} {version} exists with other bytes (SHA-256 {known.digest[:12]}…); "
                    "a version is never changed: choose a new one"
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
        )
        await releases.add(connection, release)
    return release, True


async def adopt(
    db: Database, store: Store, marker: MarkerSettings, app: str, source: Path, said: str
) -> Release:
    """Take in a WAR that was live before Bigred came, so that there is a way back to it.

    `said` is what the app answers as its release; where that is no version, one is made up.
    """
    digest = await asyncio.to_thread(store.put, source)
    version = (
        said[:_MAX_VERSION] if said and marker.expects == "version" else f"found-{digest[:12]}"
    )
    async with db.write() as connection:
        known = await releases.of_app(connection, app)
        found = next((r for r in known if r.digest == digest), None)
        if found is None:
            if any(r.version == version for r in known):
                version = f"{version}-{digest[:12]}"
            found = Release(
                app=app,
                digest=digest,
                version=version,
                marker=said,
                stage=Stage.LIVE,
                # Older than whatever was submitted: what waits is still a candidate.
                submitted_at=min([r.submitted_at for r in known], default=time.time()) - 1.0,
                message="found on the nodes",
                size=store.size(digest),
            )
            await releases.add(connection, found)
        await releases.make_live(connection, app, digest)
    return found
