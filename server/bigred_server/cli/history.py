"""`bigred history`."""

from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bigred_server.cli.options import app_option, config_option, journal, pick_app, run, settings_of
from bigred_server.journal import deployments, releases
from bigred_server.journal.deployments import Record
from bigred_server.settings import Settings


@click.command("history")
@app_option
@click.option("--limit", "-n", default=20, show_default=True, help="How many, the newest first.")
@config_option
def command(app: str | None, limit: int, config: Path | None) -> None:
    """List deployments, the newest first."""
    settings = settings_of(config)
    name = pick_app(settings, app) if app else None
    found, versions = run(_history(settings, name, limit))
    if not found:
        click.echo("no deployment yet")
        return
    table = Table(box=None)
    for heading in ("deployment", "app", "release", "outcome", "by", "began", "seconds"):
        table.add_column(heading, no_wrap=True)
    table.add_column("reason")
    for record in found:
        seconds = f"{record.ended_at - record.started_at:.1f}" if record.ended_at else "-"
        began = datetime.fromtimestamp(record.started_at).astimezone()
        table.add_row(
            record.id,
            record.app,
            versions.get((record.app, record.digest), record.digest[:12]),
            record.phase.replace("_", " "),
            record.who,
            began.strftime("%m-%d %H:%M"),
            seconds,
            record.reason,
        )
    Console().print(table)


async def _history(
    settings: Settings, app: str | None, limit: int
) -> tuple[list[Record], dict[tuple[str, str], str]]:
    async with journal(settings) as db, db.read() as connection:
        found = await deployments.newest(connection, app, limit)
        known = [r for name in settings.apps for r in await releases.of_app(connection, name)]
    return found, {(r.app, r.digest): r.version for r in known}
