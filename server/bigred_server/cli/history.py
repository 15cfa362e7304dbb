"""`bigred history`."""

from datetime import datetime
from pathlib import Path

import click

from bigred_server.cli import table
from bigred_server.cli.options import app_option, config_option, journal, pick_app, run, settings_of
from bigred_server.journal import deployments, releases
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import VersionsByDigest
from bigred_server.settings import Settings

NO_DEPLOYMENTS = "no deployments yet; begin one with: bigred deploy"
_HEADINGS = ("deployment", "app", "release", "outcome", "by", "began", "seconds")


@click.command("history")
@app_option
@click.option("--limit", "-n", default=20, show_default=True, help="How many to list.")
@click.option("--mends", is_flag=True, help="Include single-node repairs.")
@config_option
def command(app: str | None, limit: int, mends: bool, config: Path | None) -> None:
    """List deployments, newest first."""
    settings = settings_of(config)
    name = pick_app(settings, app) if app else None
    found, versions = run(_history(settings, name, limit, mends=mends))
    if not found:
        click.echo(NO_DEPLOYMENTS)
        return
    write(found, versions)


def write(found: list[DeploymentRecord], versions: VersionsByDigest) -> None:
    """Write one line per deployment, with its reason below."""
    rows = [_row(record, versions) for record in found]
    table.write(rows, _HEADINGS, notes=[record.reason for record in found])


def _row(record: DeploymentRecord, versions: VersionsByDigest) -> tuple[str, ...]:
    version = versions.get((record.app, record.digest), record.digest[:12])
    return (
        record.id,
        record.app,
        f"{version} on {record.mends}" if record.mends else version,
        record.phase.replace("_", " "),
        record.who,
        datetime.fromtimestamp(record.started_at).astimezone().strftime("%m-%d %H:%M"),
        f"{record.ended_at - record.started_at:.1f}" if record.ended_at else "-",
    )


async def _history(
    settings: Settings, app: str | None, limit: int, *, mends: bool
) -> tuple[list[DeploymentRecord], VersionsByDigest]:
    async with journal(settings) as db, db.read() as connection:
        found = await deployments.newest(connection, app, limit, mends=mends)
        known = [r for name in settings.apps for r in await releases.of_app(connection, name)]
    return found, {(r.app, r.digest): r.version for r in known}
