"""`bigred release`: the releases of an app, what became of each, and which WARs are kept."""

import click

from bigred_server.cli.release.clear import clear
from bigred_server.cli.release.list import list_
from bigred_server.cli.release.promote import promote, reject
from bigred_server.cli.release.prune import prune
from bigred_server.cli.release.show import show


@click.group("release")
def command() -> None:
    """List and manage releases.

    A release is named by its version, or by 8 or more digits that its SHA-256 begins with.
    """


for verb in (list_, show, promote, reject, clear, prune):
    command.add_command(verb)
