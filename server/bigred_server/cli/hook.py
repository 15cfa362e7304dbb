"""`bigred hook`: a repository hands in each push."""

from pathlib import Path

import click

from bigred_server.cli.options import app_option, config_option, pick_app, settings_of
from bigred_server.hook import install as installing
from bigred_server.hook.messenger import CONFIG, Messenger
from bigred_server.settings import Settings
from bigred_server.settings.build import Vcs

_FLUSH_S = 30.0
_folder = click.Path(path_type=Path, exists=True, file_okay=False)
_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group("hook")
def command() -> None:
    """Have a repository hand in each push.

    The hook returns at once and never lets a push fail. What the server can't take just then is
    kept beside the repository and handed in with the next push, or by `bigred hook flush`.
    """


@command.command("install")
@click.argument("vcs", type=click.Choice([one.value for one in Vcs]))
@click.argument("repository", type=_folder)
@click.option("--token-file", type=_file, required=True, help="The file of an operator's token.")
@click.option("--url", help="The server's address; else http:// and `listen` of [api].")
@app_option
@config_option
def install(
    vcs: str,
    repository: Path,
    token_file: Path,
    url: str | None,
    app: str | None,
    config: Path | None,
) -> None:
    """Write the hook into REPOSITORY, the one that is pushed to.

    A hook that is there already goes on being called. Whoever pushes must be able to read the
    token's file. `bigred token NAME --role operator` makes a token.
    """
    settings = settings_of(config)
    name = pick_app(settings, app)
    settings.fleet_of(name)
    place = installing.place_of(Vcs(vcs), repository)
    click.echo(installing.install(place, url or _address(settings), name, token_file))
    if settings.fleets[name].build is None:
        click.echo(f"{name} builds nothing yet: add [apps.{name}.build] to the configuration")


@command.command("flush")
@click.argument("repository", type=_folder)
def flush(repository: Path) -> None:
    """Hand in what is kept beside REPOSITORY from pushes that the server could not take."""
    found = [
        folder / CONFIG
        for folder in (repository, repository / ".git", repository / ".hg")
        if (folder / CONFIG).exists()
    ]
    if not found:
        raise click.ClickException(f"{repository} has no hook of ours; see: bigred hook install")
    messenger = Messenger(found[0])
    told = "nothing waits"
    while waiting := messenger.waiting():
        told = messenger.flush(_FLUSH_S)
        if messenger.waiting()[:1] == waiting[:1]:
            raise click.ClickException(told)
    click.echo(told)


def _address(settings: Settings) -> str:
    if not settings.api.listen:
        raise click.ClickException(
            "the server has no HTTP API: set `listen` in [api], or name an address with --url"
        )
    return f"http://{settings.api.listen}"
