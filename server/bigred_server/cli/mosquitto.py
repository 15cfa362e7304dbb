"""`bigred mosquitto`."""

from pathlib import Path

import click

from bigred_broker import mosquitto
from bigred_server.cli.options import config_option, settings_of


@click.command("mosquitto")
@config_option
@click.option(
    "--database",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder in which Mosquitto keeps retained messages across restarts.",
)
def command(config: Path | None, database: Path | None) -> None:
    """Print a Mosquitto configuration that fits the [broker] section."""
    click.echo(mosquitto.configuration(settings_of(config).broker, database), nl=False)
