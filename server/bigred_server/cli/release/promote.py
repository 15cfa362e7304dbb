"""`bigred release promote` and `bigred release reject`."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from bigred_server.cli.options import app_option, config_option, journal, pick_app, run, settings_of
from bigred_server.journal.database import Database
from bigred_server.model.release import Release
from bigred_server.pipeline import submissions
from bigred_server.settings import Settings

Review = Callable[[Database, str, str], Awaitable[Release]]


@click.command("promote")
@click.argument("release")
@app_option
@config_option
def promote(release: str, app: str | None, config: Path | None) -> None:
    """Make a tested RELEASE ready, for an app with promote = "by_hand"."""
    _decide(submissions.promote, release, app, config)


@click.command("reject")
@click.argument("release")
@app_option
@config_option
def reject(release: str, app: str | None, config: Path | None) -> None:
    """Reject a tested RELEASE; it becomes failed and is never deployed."""
    _decide(submissions.reject, release, app, config)


def _decide(decision: Review, release: str, app: str | None, config: Path | None) -> None:
    settings = settings_of(config)
    name = pick_app(settings, app)
    found = run(_decided(settings, decision, name, release))
    click.echo(f"{name} {found.version} is {found.stage}")


async def _decided(settings: Settings, decision: Review, app: str, name: str) -> Release:
    async with journal(settings) as db:
        return await decision(db, app, name)
