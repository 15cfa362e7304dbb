"""`bigred release clear`."""

from pathlib import Path

import click

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
from bigred_server.requests import deploy
from bigred_server.settings import Settings


@click.command("clear")
@click.argument("release")
@app_option
@config_option
def clear(release: str, app: str | None, config: Path | None) -> None:
    """Make a bad RELEASE ready again.

    The next press deploys it if it is newer than the live release and no newer one is ready.
    """
    settings = settings_of(config)
    name = pick_app(settings, app)
    cleared = run(_clear(settings, name, release))
    click.echo(f"{name} {cleared.version} is {cleared.stage} again")


async def _clear(settings: Settings, app: str, name: str) -> Release:
    async with journal(settings) as db:
        return await deploy.clear(db, app, name, person())
