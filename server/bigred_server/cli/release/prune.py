"""`bigred release prune`."""

import time
from pathlib import Path

import click

from bigred_server.artifacts.retention import Retention
from bigred_server.artifacts.store import Kept
from bigred_server.cli import page, table
from bigred_server.cli.options import config_option, journal, run, settings_of
from bigred_server.journal import releases
from bigred_server.places import release_store
from bigred_server.settings import Settings


@click.command("prune")
@click.option("--dry-run", is_flag=True, help="Show what would be removed; remove nothing.")
@config_option
def prune(dry_run: bool, config: Path | None) -> None:
    """Remove WARs that nobody needs from the store, for all apps.

    The live release stays, the next one, the one to go back to, those of a running deployment, and
    in addition the newest ones, as many as `keep` of the app says. What is known about a release
    always stays. The server does the same after each successful deployment.
    """
    removed, names = run(_prune(settings_of(config), dry_run=dry_run))
    if not removed:
        click.echo("nothing to remove")
        return
    rows = [
        (page.size(file.size), names.get(file.digest, f"{file.path.name}, of no known release"))
        for file in removed
    ]
    total = page.size(sum(file.size for file in removed))
    rows.append((total, f"{'would be' if dry_run else 'are'} freed"))
    table.write(rows, right=(0,))


async def _prune(settings: Settings, *, dry_run: bool) -> tuple[list[Kept], dict[str, str]]:
    """Prune; return the removed files, and the release of each known digest."""
    keeps = {name: app.keep for name, app in settings.fleets.items()}
    async with journal(settings) as db:
        retention = Retention(db, release_store(settings.server), keeps)
        removed = await retention.prune(time.time(), dry_run=dry_run)
        async with db.read() as connection:
            known = [r for app in settings.apps for r in await releases.of_app(connection, app)]
    return removed, {release.digest: f"{release.app} {release.version}" for release in known}
