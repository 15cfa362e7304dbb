"""`bigred restore`."""

from pathlib import Path

import click

from bigred_server.artifacts.store import Store
from bigred_server.backup.restore import Place, Restored, backup_text, restore
from bigred_server.cli import page
from bigred_server.cli.options import config_option, run, settings_of
from bigred_server.cli.progress import progress
from bigred_server.hook.owner import owner_of
from bigred_server.places import journal_place, release_store


@click.command("restore")
@click.argument("backup", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="The state folder to restore to; by default that of the configuration.",
)
@click.option("--force", is_flag=True, help="Move a journal that is there aside.")
@config_option
def command(backup: Path, state: Path | None, force: bool, config: Path | None) -> None:
    """Restore FILE, which `bigred backup` made, to the state folder of a stopped server.

    The backup is verified first; the folder then has all of it, or is as before. Nothing goes on or
    begins by itself afterwards: deployments and builds that were running are ended as failed, and
    no earlier arming is valid. Look at the fleet with `bigred status` before you deploy.
    """
    with progress("restoring") as (begin, advance):
        done = run(restore(backup, _place(state, config), advance, begin, force=force))
    _report(done)


def _place(state: Path | None, config: Path | None) -> Place:
    if state is not None:
        return Place(state, state / "bigred.db", Store(state / "releases"))
    server = settings_of(config).server
    return Place(server.state, journal_place(server), release_store(server))


def _report(done: Restored) -> None:
    wars = sum(file.name.endswith(".war") for file in done.manifest.files)
    what = "the journal and " if done.manifest.has_journal else ""
    text = f"restored {what}{page.counted(wars, 'release')} from {backup_text(done.manifest)}"
    click.echo(f"{text}, made by Bigred {done.manifest.bigred}")
    if done.aside is not None:
        click.echo(f"The journal that was there is now {done.aside}.")
    if done.config is not None:
        click.echo(f"The configuration of the backup is {done.config}.")
    for folder in done.created:
        if owner_of(folder).uid == 0:
            click.echo(
                f"{folder} is new and belongs to root: unless the server runs as root, give it to "
                f"the server's user with: chown -R USER: {folder}"
            )
    if done.manifest.has_journal:
        click.echo("A token that was revoked since the backup is valid again: bigred token list")
    click.echo("Start the server, and compare the fleet with: bigred status")
