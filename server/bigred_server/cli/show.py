"""`bigred show`."""

import json
from pathlib import Path

import click

from bigred_server.cli.follow import follow as follow_events
from bigred_server.cli.follow import unknown_deployment, write_event, write_receipt
from bigred_server.cli.history import NO_DEPLOYMENTS
from bigred_server.cli.options import config_option, journal, run, settings_of
from bigred_server.journal import actions, deployments, events
from bigred_server.journal.connection import AsyncConnection
from bigred_server.model.action_record import ActionRecord
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.event_record import EventRecord
from bigred_server.settings import Settings


@click.command("show")
@click.argument("deployment", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, actions too.")
@click.option("--follow", "-f", is_flag=True, help="Keep printing events until it ends.")
@click.option("--receipt", "only_receipt", is_flag=True, help="Print only the receipt.")
@config_option
def command(
    deployment: str | None, as_json: bool, follow: bool, only_receipt: bool, config: Path | None
) -> None:
    """Show DEPLOYMENT, or the newest one: its events and its receipt."""
    if follow and only_receipt:
        raise click.UsageError("--receipt can't be combined with --follow, which prints it too")
    settings = settings_of(config)
    if follow:
        write_receipt(run(_follow(settings, deployment)))
        return
    record, happened, done = run(_show(settings, deployment))
    if as_json:
        everything = {
            **vars(record),
            "events": [vars(event) for event in happened],
            "acts": [vars(action) for action in done],
        }
        click.echo(json.dumps(record.receipt if only_receipt else everything, indent=2))
        return
    for event in () if only_receipt else happened:
        write_event(event)
    write_receipt(record)


async def _follow(settings: Settings, deployment: str | None) -> DeploymentRecord:
    async with journal(settings) as db:
        async with db.read() as connection:
            found = await _find(connection, deployment)
        return await follow_events(settings, db, found.id)


async def _show(
    settings: Settings, deployment: str | None
) -> tuple[DeploymentRecord, list[EventRecord], list[ActionRecord]]:
    async with journal(settings) as db, db.read() as connection:
        found = await _find(connection, deployment)
        happened = await events.of_deployment(connection, found.id)
        return found, happened, await actions.of_deployment(connection, found.id)


async def _find(db: AsyncConnection, deployment: str | None) -> DeploymentRecord:
    if deployment is None:
        found = next(iter(await deployments.newest(db, None, 1)), None)
    else:
        found = await deployments.find(db, deployment)
    if found is None:
        if deployment is None:
            raise click.ClickException(NO_DEPLOYMENTS)
        raise click.ClickException(unknown_deployment(deployment))
    return found
