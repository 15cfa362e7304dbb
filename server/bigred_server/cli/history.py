"""`bigred history`."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from bigred_server.cli import page
from bigred_server.cli.options import app_option, config_option, journal, pick_app, run, settings_of
from bigred_server.journal import deployments, releases
from bigred_server.journal.deployments import Record
from bigred_server.settings import Settings

_HEADINGS = ("deployment", "app", "release", "outcome", "by", "began", "seconds")

Versions = dict[tuple[str, str], str]


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
    for line, reason in _lines(found, versions):
        click.echo(line)
        if reason:
            page.write(f"    {reason}", indent=4)


def _lines(found: list[Record], versions: Versions) -> Iterator[tuple[str, str]]:
    """Give a line for each deployment, its columns as wide as they must be, and its reason."""
    rows = [_HEADINGS, *(_row(record, versions) for record in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    reasons = ["", *(record.reason for record in found)]
    for row, reason in zip(rows, reasons, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip(), reason


def _row(record: Record, versions: Versions) -> tuple[str, ...]:
    return (
        record.id,
        record.app,
        versions.get((record.app, record.digest), record.digest[:12]),
        record.phase.replace("_", " "),
        record.who,
        datetime.fromtimestamp(record.started_at).astimezone().strftime("%m-%d %H:%M"),
        f"{record.ended_at - record.started_at:.1f}" if record.ended_at else "-",
    )


async def _history(
    settings: Settings, app: str | None, limit: int
) -> tuple[list[Record], Versions]:
    async with journal(settings) as db, db.read() as connection:
        found = await deployments.newest(connection, app, limit)
        known = [r for name in settings.apps for r in await releases.of_app(connection, name)]
    return found, {(r.app, r.digest): r.version for r in known}
