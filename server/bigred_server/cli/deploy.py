"""`bigred deploy`."""

import sys
from pathlib import Path

import click

from bigred_broker.messages import Phase
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
from bigred_server.journal.database import Database
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.places import release_store
from bigred_server.requests import deploy
from bigred_server.settings import Settings


@click.command("deploy")
@click.argument("version", required=False)
@app_option
@click.option("--no-wait", is_flag=True, help="Return once it has begun.")
@config_option
def command(version: str | None, app: str | None, no_wait: bool, config: Path | None) -> None:
    """Make VERSION live, or the newest ready release. Exit code 0 only if it is live.

    VERSION may also be 8 or more digits that the release's SHA-256 begins with. Leave it out for an
    app that Jenkins deploys: its job is run.
    """
    settings = settings_of(config)
    name = pick_app(settings, app)
    phase = run(_deploy(settings, name, version, wait=not no_wait))
    sys.exit(0 if phase in (Phase.SUCCEEDED, Phase.PREPARING) else 1)


async def _deploy(settings: Settings, app: str, version: str | None, *, wait: bool) -> Phase:
    async with journal(settings) as db:
        await need_server(settings, db)
        record = await _begin(settings, db, app, version)
        click.echo(f"deployment {record.id} has begun")
        if not wait:
            return record.phase
        # Imported late: the tables take a tenth of a second to load, after which it has begun.
        from bigred_server.cli.follow import follow, write_receipt

        record = await follow(settings, db, record.id)
        write_receipt(record)
        return record.phase


async def _begin(
    settings: Settings, db: Database, app: str, version: str | None
) -> DeploymentRecord:
    if app not in settings.jobs:
        return await deploy.deploy(db, release_store(settings.server), app, version, person())
    # Imported late: few sites have a Jenkins.
    from bigred_server.requests.job_preflight import job_preflight, start

    async with job_preflight(settings, app) as preflight:
        return await start(db, preflight, version, person())
