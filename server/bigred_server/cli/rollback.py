"""`bigred rollback`."""

import sys
from pathlib import Path

import click

from bigred_broker.messages import Phase
from bigred_server.cli.follow import conclude, follow
from bigred_server.cli.options import (
    app_option,
    config_option,
    journal,
    need_server,
    person,
    pick_app,
    run,
    settings_of,
)
from bigred_server.places import release_store
from bigred_server.requests import deploy
from bigred_server.settings import Settings


@click.command("rollback")
@app_option
@config_option
def command(app: str | None, config: Path | None) -> None:
    """Go back to the last good release; a deployment that runs is taken back instead.

    The release that is taken back is bad from then on and can't be deployed again until it is
    cleared: bigred release clear VERSION.
    """
    settings = settings_of(config)
    name = pick_app(settings, app)
    settings.fleet_of(name)
    sys.exit(0 if run(_rollback(settings, name)) else 1)


async def _rollback(settings: Settings, app: str) -> bool:
    """Have it done and follow it; say whether the fleet is on the earlier release."""
    store = release_store(settings.server)
    async with journal(settings) as db:
        await need_server(settings, db)
        record, was_running = await deploy.rollback(db, store, app, person())
        click.echo(
            f"deployment {record.id} is taken back"
            if was_running
            else f"deployment {record.id} has begun"
        )
        record = await follow(settings, db, record.id)
        conclude(record)
    wanted = (Phase.ROLLED_BACK, Phase.ABORTED) if was_running else (Phase.SUCCEEDED,)
    return record.phase in wanted
