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
@click.option("--dry-run", is_flag=True, help="Say what would go; remove nothing.")
@config_option
def prune(dry_run: bool, config: Path | None) -> None:
    """Remove from the store the WARs that nobody needs, of all apps.

    Those stay that are live, next, gone back to, or in a running deployment, and besides them the
    newest ones, as many as the app's `keep` says. What is known of a release stays in any case. The
    server does the same after each deployment that succeeded.
    """
    went, told = run(_prune(settings_of(config), dry_run=dry_run))
    if not went:
        click.echo("there is nothing to remove")
        return
    rows = [
        (page.size(file.size), told.get(file.digest, f"{file.path.name}, of no release"))
        for file in went
    ]
    total = page.size(sum(file.size for file in went))
    rows.append((total, f"{'would be' if dry_run else 'are'} freed"))
    table.write(rows, right=(0,))


async def _prune(settings: Settings, *, dry_run: bool) -> tuple[list[Kept], dict[str, str]]:
    """Prune; give what went, and what each digest is."""
    keeps = {name: app.keep for name, app in settings.fleets.items()}
    async with journal(settings) as db:
        retention = Retention(db, release_store(settings.server), keeps)
        went = await retention.prune(time.time(), dry_run=dry_run)
        async with db.read() as connection:
            known = [r for app in settings.apps for r in await releases.of_app(connection, app)]
    return went, {release.digest: f"{release.app} {release.version}" for release in known}
