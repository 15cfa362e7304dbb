"""`bigred submit`."""

from pathlib import Path

import click

from bigred_server.artifacts import intake
from bigred_server.artifacts.intake import Submission
from bigred_server.cli.options import (
    app_option,
    config_option,
    journal,
    person,
    pick_app,
    run,
    settings_of,
)
from bigred_server.model.release import Release
from bigred_server.places import release_store
from bigred_server.settings import Settings


@click.command("submit")
@click.argument("war", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--version", "-V", required=True, help="The version of the release.")
@click.option("--commit", default="", help="The commit it was built from.")
@click.option("--author", help="Who made it; by default you.")
@click.option("--message", "-m", default="", help="What is new.")
@app_option
@config_option
def command(
    war: Path,
    version: str,
    commit: str,
    author: str | None,
    message: str,
    app: str | None,
    config: Path | None,
) -> None:
    """Submit WAR as a release. It is copied, checked, and ready: the next press deploys it."""
    settings = settings_of(config)
    name = pick_app(settings, app)
    submission = Submission(name, war, version, commit, author or person(), message)
    release, is_new = run(_submit(settings, submission))
    known = "" if is_new else " was submitted before; it"
    click.echo(f"{name} {release.version}{known} is {release.stage} (SHA-256 {release.digest})")


async def _submit(settings: Settings, submission: Submission) -> tuple[Release, bool]:
    async with journal(settings) as db:
        store = release_store(settings.server)
        marker = settings.fleet_of(submission.app).marker
        return await intake.submit(db, store, marker, submission)
