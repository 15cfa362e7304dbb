"""`bigred init`."""

from pathlib import Path

import click

from bigred_server.cli.options import LOCAL_CONFIG


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default=LOCAL_CONFIG)
def command(path: Path) -> None:
    """Write an annotated configuration file to PATH (bigred.toml); never over one that is there."""
    from bigred_server.settings import example

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(example())
    except FileExistsError as error:
        raise click.ClickException(f"{path} is there already; it was not touched") from error
    except OSError as error:
        raise click.ClickException(
            f"{path} can't be written: {error.strerror}; name a file in a folder of yours"
        ) from error
    click.echo(f"{path} is written. Edit it, then run: bigred server --config {path}")
