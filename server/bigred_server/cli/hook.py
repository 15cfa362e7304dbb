"""`bigred hook`: make a repository submit every push."""

from pathlib import Path

import click

from bigred_server.cli.options import app_option, config_option, pick_app, settings_of
from bigred_server.hook import install as installing
from bigred_server.hook.messenger import CONFIG, Messenger
from bigred_server.hook.repository import place_of
from bigred_server.settings import Settings
from bigred_server.settings.build import Vcs

_FLUSH_S = 30.0
_vcs = click.Choice([one.value for one in Vcs])
_folder = click.Path(path_type=Path, exists=True, file_okay=False)
_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group("hook")
def command() -> None:
    """Make a repository submit every push.

    The hook returns at once, and a push never fails because of it. If the server can't be reached,
    the commit is kept next to the repository and submitted with the next push, or by `bigred hook
    flush`.
    """


@command.command("install")
@click.argument("vcs", type=_vcs)
@click.argument("repository", type=_folder)
@click.option("--token-file", type=_file, required=True, help="A file with an operator's token.")
@click.option("--url", help="The server's address; by default http:// and `listen` of [api].")
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
    """Install the hook in REPOSITORY, the one that people push to.

    An existing hook goes on as before: one that runs all files of a folder, as Gitea's and
    Gitolite's do, gets ours beside its own; any other is called first. All files keep the owner of
    the repository. Everybody who pushes must be able to read the token file.
    `bigred token create NAME --role operator > FILE` creates one.
    """
    settings = settings_of(config)
    name = pick_app(settings, app)
    settings.fleet_of(name)
    place = place_of(Vcs(vcs), repository)
    click.echo(installing.install(place, url or _address(settings), name, token_file))
    if settings.fleets[name].build is None:
        click.echo(f"{name} builds nothing yet: add [apps.{name}.build] to the configuration")


@command.command("uninstall")
@click.argument("vcs", type=_vcs)
@click.argument("repository", type=_folder)
def uninstall(vcs: str, repository: Path) -> None:
    """Remove the hook from REPOSITORY, and put back the one that was there before.

    Commits that are still queued stay where they are, for `bigred hook flush`.
    """
    click.echo(installing.uninstall(place_of(Vcs(vcs), repository)))


@command.command("flush")
@click.argument("repository", type=_folder)
def flush(repository: Path) -> None:
    """Submit the commits kept next to REPOSITORY.

    They were pushed while the server could not be reached.
    """
    found = [
        folder / CONFIG
        for folder in (repository, repository / ".git", repository / ".hg")
        if (folder / CONFIG).exists()
    ]
    if not found:
        raise click.ClickException(
            f"{repository} has no hook of Bigred; install it with: bigred hook install"
        )
    messenger = Messenger(found[0])
    answer = "no commits are queued"
    while waiting := messenger.waiting():
        answer = messenger.flush(_FLUSH_S)
        if messenger.waiting()[:1] == waiting[:1]:
            raise click.ClickException(answer)
    click.echo(answer)


def _address(settings: Settings) -> str:
    if not settings.api.listen:
        raise click.ClickException(
            "the server has no HTTP API: set `listen` in [api], or give an address with --url"
        )
    # A certificate is for a name, which only `url` has.
    if settings.api.tls:
        if not settings.api.url:
            raise click.ClickException(
                "set `url` in [api] to the address that the certificate is for, or give it "
                "with --url"
            )
        return settings.api.url
    return f"http://{settings.api.listen}"
