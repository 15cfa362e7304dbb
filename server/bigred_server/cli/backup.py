"""`bigred backup`."""

from pathlib import Path

import click

from bigred_server.backup.make import Backup, BackupPlan, make
from bigred_server.cli import page
from bigred_server.cli.options import config_file, config_option, run
from bigred_server.cli.progress import progress
from bigred_server.places import journal_place, release_store
from bigred_server.settings import load


@click.command("backup")
@click.argument("target", metavar="FILE|FOLDER", type=click.Path(path_type=Path))
@click.option(
    "--with-config",
    is_flag=True,
    help="Include the configuration file. It may hold secrets; files that it names are left out.",
)
@config_option
def command(target: Path, with_config: bool, config: Path | None) -> None:
    """Back up the journal and the releases that it needs to one file, also while the server runs.

    In a FOLDER, the file is named by the time. It is a plain tar that only its owner can read, and
    `bigred restore` restores it, also on another machine. An existing file is never overwritten.
    If the journal is in PostgreSQL, only the releases are backed up: use pg_dump for the database.
    """
    file = config_file(config)
    settings = load(file)
    keeps = {name: app.keep for name, app in settings.fleets.items()}
    plan = BackupPlan(
        journal_place(settings.server),
        release_store(settings.server),
        keeps,
        file if with_config else None,
    )
    with progress("backing up") as (begin, advance):
        made = run(make(plan, target, advance, begin))
    _report(made)


def _report(made: Backup) -> None:
    manifest = made.manifest
    wars = sum(file.name.endswith(".war") for file in manifest.files)
    size = page.size(made.file.stat().st_size)
    what = "the journal and " if manifest.has_journal else ""
    click.echo(f"wrote {what}{page.counted(wars, 'release')} to {made.file} ({size})")
    if not manifest.has_journal:
        click.echo("The journal is in PostgreSQL: back it up with pg_dump, after this.", err=True)
    for digest in manifest.missing:
        text = "is missing or damaged in the store, and is not in the backup: submit it again"
        click.echo(f"The release with SHA-256 {digest[:12]}… {text}.", err=True)
