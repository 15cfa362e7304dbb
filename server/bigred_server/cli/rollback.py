"""`bigred rollback`."""

import sys
from pathlib import Path

import click

from bigred_broker.messages import Phase
from bigred_server.cli.follow import follow, write_receipt
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
    """Roll the running deployment back; without one, go back to the last good release.

    The release that was rolled back becomes bad: it can't be deployed again until it is cleared
    with `bigred release clear VERSION`. Exit code 0 only if the earlier release is live.
    """
    settings = settings_of(config)
    name = pick_app(settings, app)
    settings.fleet_of(name)
    sys.exit(0 if run(_rollback(settings, name)) else 1)


async def _rollback(settings: Settings, app: str) -> bool:
    """Roll back and follow it; return whether the nodes are on the earlier release."""
    store = release_store(settings.server)
    async with journal(settings) as db:
        await need_server(settings, db)
        record, was_running = await deploy.rollback(db, store, app, person())
        click.echo(
            f"deployment {record.id} is being rolled back"
            if was_running
            else f"deployment {record.id} has begun"
        )
        record = await follow(settings, db, record.id)
        write_receipt(record)
    expected = (Phase.ROLLED_BACK, Phase.ABORTED) if was_running else (Phase.SUCCEEDED,)
    return record.phase in expected
