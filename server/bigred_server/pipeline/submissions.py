"""Handing in: commits become builds that wait; a person promotes a tested release or rejects it."""

import time
from collections.abc import Sequence
from dataclasses import replace

from bigred_server.errors import ReleaseError
from bigred_server.journal import builds, releases
from bigred_server.journal.database import Database
from bigred_server.model.build import Build
from bigred_server.model.pushed import Pushed
from bigred_server.model.release import Release, Stage, named, plain
from bigred_server.settings import AppSettings


async def submit_commits(
    db: Database, name: str, app: AppSettings, pushed: Sequence[Pushed]
) -> tuple[list[Build], str]:
    """Write down what was pushed to the app's branch; give the builds, and a sentence for people.

    Raises ReleaseError when the app builds nothing.
    """
    if app.build is None:
        raise ReleaseError(
            f"{name} builds nothing: add [apps.{name}.build] to the server's configuration"
        )
    branch = app.build.on_branch
    ours = [one for one in pushed if one.branch == branch]
    if not ours:
        others = ", ".join(dict.fromkeys(one.branch for one in pushed))
        return [], f"{name} is built from {branch}; nothing is done for {others}"
    found = []
    async with db.write() as connection:
        now = time.time()
        for one in ours:
            who = plain(one.who)
            found.append(await builds.submit(connection, name, one.commit, branch, who, now))
    newest, is_new = found[-1]
    told = f"{name} build {newest.number} of {newest.commit[:12]}"
    text = f"{told} is handed in" if is_new else f"{told} was handed in before: {newest.stage}"
    return [build for build, _ in found], text


async def promote(db: Database, app: str, name: str) -> Release:
    """Make a tested release ready. Raises ReleaseError when it is not tested."""
    return await _decide(db, app, name, Stage.READY, "promoted")


async def reject(db: Database, app: str, name: str) -> Release:
    """Have a tested release go no further. Raises ReleaseError when it is not tested."""
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
