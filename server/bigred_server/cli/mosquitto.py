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
    help="A folder where Mosquitto keeps retained messages over its restarts.",
)
def command(config: Path | None, database: Path | None) -> None:
    """Print the Mosquitto configuration that fits the [broker] section."""
    click.echo(mosquitto.configuration(settings_of(config).broker, database), nl=False)
