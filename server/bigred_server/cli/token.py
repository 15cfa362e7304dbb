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
    help="viewer reads; operator also deploys, holds and rolls back; admin does everything.",
)
def command(name: str, role: str) -> None:
    """Create a token for the HTTP API, for the person or program NAME.

    The token is shown only once. Add the printed table to the configuration; it holds only the
    token's SHA-256.
    """
    if not is_id(name):
        raise click.ClickException(
            f"{name!r} is not a valid name for a token; use 1 to 32 of a-z, 0-9 and hyphens"
        )
    token = f"bigred_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(token.encode()).hexdigest()
    click.echo(f"The token, which is not shown again: {token}")
    click.echo("Add this to the server's configuration, then restart the server:\n")
    click.echo(f'[api.tokens.{name}]\nsha256 = "{digest}"\nrole = "{role}"')
