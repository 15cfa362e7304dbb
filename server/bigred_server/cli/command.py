"""`bigred hold`, `bigred continue` and `bigred abort`: control the running deployment."""

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
from bigred_server.model.command import Command
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.requests import deploy
from bigred_server.settings import Settings

_CONFIRMATIONS = {
    Command.HOLD: (
        "will be held once the nodes being updated are finished; continue it with: bigred continue"
    ),
    Command.CONTINUE: "continues",
    Command.ABORT: "is being aborted: every node goes back, and the release stays ready",
}
_EXPECTED_OUTCOMES = {
    Command.HOLD: (Phase.SUCCEEDED,),
    Command.CONTINUE: (Phase.SUCCEEDED,),
    Command.ABORT: (Phase.ABORTED, Phase.ROLLED_BACK),
}

follow_option = click.option("--follow", "-f", is_flag=True, help="Follow it until it ends.")


@click.command("hold")
@app_option
@follow_option
@config_option
def hold(app: str | None, follow: bool, config: Path | None) -> None:
    """Hold the running deployment: nodes being updated are finished, and no new ones start.

    Exit code 0 if the command is accepted; with --follow, only if the deployment succeeds in the
    end.
    """
    _command(Command.HOLD, app, config, follow_it=follow)


@click.command("continue")
@app_option
@follow_option
@config_option
def continue_(app: str | None, follow: bool, config: Path | None) -> None:
    """Continue a held deployment.

    Exit code 0 if the command is accepted; with --follow, only if the deployment succeeds in the
    end.
    """
    _command(Command.CONTINUE, app, config, follow_it=follow)


@click.command("abort")
@app_option
@follow_option
@config_option
def abort(app: str | None, follow: bool, config: Path | None) -> None:
    """Abort the running deployment: every node goes back, and the new release stays ready.

    `rollback` does the same, but makes the release bad. Exit code 0 if the command is accepted;
    with --follow, only if every node goes back.
    """
    _command(Command.ABORT, app, config, follow_it=follow)


def _command(command: Command, app: str | None, config: Path | None, *, follow_it: bool) -> None:
    settings = settings_of(config)
    name = pick_app(settings, app)
    record = run(_give(settings, name, command, follow_it=follow_it))
    sys.exit(0 if not follow_it or record.phase in _EXPECTED_OUTCOMES[command] else 1)


async def _give(
    settings: Settings, app: str, command: Command, *, follow_it: bool
) -> DeploymentRecord:
    async with journal(settings) as db:
        await need_server(settings, db)
        record = await deploy.command(db, app, command, person())
        click.echo(f"deployment {record.id} of {app} {_CONFIRMATIONS[command]}")
        if follow_it:
            record = await follow(settings, db, record.id)
            write_receipt(record)
        return record
