"""`bigred hold`, `bigred continue` and `bigred abort`: what is asked of a deployment that runs."""

import sys
from collections.abc import Callable
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
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.requests import deploy
from bigred_server.settings import Settings

_TOLD = {
    Command.HOLD: "is held as soon as the nodes in hand are whole; go on with: bigred continue",
    Command.CONTINUE: "goes on",
    Command.ABORT: "is aborted: every node goes back, and the release stays ready",
}
_AS_ASKED = {
    Command.HOLD: (Phase.SUCCEEDED,),
    Command.CONTINUE: (Phase.SUCCEEDED,),
    Command.ABORT: (Phase.ABORTED, Phase.ROLLED_BACK),
}

follow_option = click.option("--follow", "-f", is_flag=True, help="Follow it until it has ended.")
Verb = Callable[[str | None, bool, Path | None], None]


@click.command("hold")
@app_option
@follow_option
@config_option
def hold(app: str | None, follow: bool, config: Path | None) -> None:
    """Hold the running deployment: the nodes in hand are made whole, and no other is taken.

    Exit code 0 when it takes that; with --follow only when it has succeeded in the end.
    """
    _command(Command.HOLD, app, config, follow_it=follow)


@click.command("continue")
@app_option
@follow_option
@config_option
def go_on(app: str | None, follow: bool, config: Path | None) -> None:
    """Go on with a deployment that is held.

    Exit code 0 when it takes that; with --follow only when it has succeeded in the end.
    """
    _command(Command.CONTINUE, app, config, follow_it=follow)


@click.command("abort")
@app_option
@follow_option
@config_option
def abort(app: str | None, follow: bool, config: Path | None) -> None:
    """End the running deployment: every node goes back, and the new release stays ready.

    `rollback` does the same and makes the release bad. Exit code 0 when it takes that; with
    --follow only when all have gone back.
    """
    _command(Command.ABORT, app, config, follow_it=follow)


def _command(command: Command, app: str | None, config: Path | None, *, follow_it: bool) -> None:
    settings = settings_of(config)
    name = pick_app(settings, app)
    record = run(_give(settings, name, command, follow_it=follow_it))
    sys.exit(0 if not follow_it or record.phase in _AS_ASKED[command] else 1)


async def _give(
    settings: Settings, app: str, command: Command, *, follow_it: bool
) -> DeploymentRecord:
    async with journal(settings) as db:
        await need_server(settings, db)
        record = await deploy.command(db, app, command, person())
        click.echo(f"deployment {record.id} of {app} {_TOLD[command]}")
        if follow_it:
            record = await follow(settings, db, record.id)
            conclude(record)
        return record
