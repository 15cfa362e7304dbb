"""`bigred token`."""

import hashlib
import secrets

import click

from bigred_broker.topics import is_id
from bigred_server.web.caller import Role


@click.command("token")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.VIEWER.value,
    show_default=True,
    help="viewer reads; operator deploys, holds and takes back; admin does everything.",
)
def command(name: str, role: str) -> None:
    """Make a token for the HTTP API, for the person or program NAME.

    It is shown this once. The table goes into the configuration; the token can't be found from it.
    """
    if not is_id(name):
        raise click.ClickException(
            f"{name!r} is no name for a token: 1 to 32 letters a-z, digits or hyphens are"
        )
    token = f"bigred_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(token.encode()).hexdigest()
    click.echo(f"The token, shown only now: {token}")
    click.echo("Write this into the server's configuration, and start the server again:\n")
    click.echo(f'[api.tokens.{name}]\nsha256 = "{digest}"\nrole = "{role}"')
