"""Submit commits as waiting builds; promote or reject a tested release."""

import time
from collections.abc import Sequence
from dataclasses import replace

from bigred_server.errors import ReleaseError
from bigred_server.journal import builds, releases
from bigred_server.journal.database import Database
from bigred_server.model.build import Build
from bigred_server.model.plain_text import MOST_WHO, plain
from bigred_server.model.pushed_commit import PushedCommit
from bigred_server.model.release import Release, Stage, named
from bigred_server.settings import AppSettings

# How much of the name of another branch is repeated.
_MOST_BRANCH = 200


async def submit_commits(
    db: Database, name: str, app: AppSettings, pushed: Sequence[PushedCommit]
) -> tuple[list[Build], str]:
    """Record the commits pushed to the app's branch; return the builds and a message for people.

    Raise ReleaseError if the app has no build configured.
    """
    if app.build is None:
        raise ReleaseError(
            f"{name} has no build configured: add [apps.{name}.build] to the server's configuration"
        )
    branch = app.build.on_branch
    ours = [one for one in pushed if one.branch == branch]
    if not ours:
        others = ", ".join(dict.fromkeys(plain(one.branch, _MOST_BRANCH) for one in pushed))
        return [], f"{name} is built from {branch}; ignored: {others}"
    found = []
    async with db.write() as connection:
        now = time.time()
        for one in ours:
            who, head = plain(one.who, MOST_WHO), one is ours[-1]
            build = builds.submit(connection, name, one.commit, branch, who, now, is_head=head)
            found.append(await build)
    newest, is_new = found[-1]
    commit, what = newest.commit[:12], f"{name} build {newest.number}"
    if is_new:
        text = f"{commit} submitted as {what}"
    else:
        text = f"{commit} was already submitted as {what} ({newest.stage})"
    return [build for build, _ in found], text


async def promote(db: Database, app: str, name: str) -> Release:
    """Make a tested release ready. Raise ReleaseError if it is not at the stage `tested`."""
    return await _decide(db, app, name, Stage.READY, "promoted")


async def reject(db: Database, app: str, name: str) -> Release:
    """Make a tested release failed. Raise ReleaseError if it is not at the stage `tested`."""
    return await _decide(db, app, name, Stage.FAILED, "rejected")


async def _decide(db: Database, app: str, name: str, stage: Stage, done: str) -> Release:
    async with db.write() as connection:
        release = named(await releases.of_app(connection, app), app, name)
        if release.stage is not Stage.TESTED:
            raise ReleaseError(
                f"{app} {release.version} is {release.stage}, not tested: it can't be {done}"
            )
        await releases.set_stage(connection, app, release.digest, stage)
        return replace(release, stage=stage)
