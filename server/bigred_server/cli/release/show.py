"""`bigred release show`."""

import json
from pathlib import Path

import click

from bigred_server.cli import page, table
from bigred_server.cli.history import write
from bigred_server.cli.options import app_option, config_option, journal, pick_app, run, settings_of
from bigred_server.journal import deployments, releases
from bigred_server.model.deployment import DeploymentRecord
from bigred_server.model.release import Release, VersionsByDigest, named
from bigred_server.places import release_store
from bigred_server.settings import Settings


@click.command("show")
@click.argument("release")
@app_option
@click.option("--json", "as_json", is_flag=True, help="Print the JSON of the HTTP API.")
@config_option
def show(release: str, app: str | None, as_json: bool, config: Path | None) -> None:
    """Show RELEASE and its deployments.

    These are all that deployed it, and all that rolled it back.
    """
    settings = settings_of(config)
    name = pick_app(settings, app)
    found, records, versions = run(_find(settings, name, release))
    kept = release_store(settings.server).has(found.digest)
    if as_json:
        # Imported late: the models of the HTTP API are needed for JSON alone.
        from bigred_server.web.models import DeploymentShown, ReleaseShown

        history = [DeploymentShown.of(each, versions).model_dump() for each in records]
        shown = ReleaseShown.of(found, kept=kept).model_dump()
        click.echo(json.dumps({**shown, "deployments": history}, indent=2))
        return
    click.echo(f"{name} {found.version} is {found.stage}")
    table.write(_details(found, kept=kept), indent=2)
    if records:
        write(records, versions)
    else:
        click.echo("it was never deployed")


def _details(release: Release, *, kept: bool) -> list[tuple[str, str]]:
    return [
        ("SHA-256", release.digest),
        ("size", page.size(release.size)),
        ("submitted", page.moment(release.submitted_at)),
        ("author", page.plain(release.author) or "-"),
        ("commit", page.plain(release.commit) or "-"),
        ("message", page.plain(release.message) or "-"),
        ("marker", page.plain(release.marker) or "-"),
        ("kept", "yes" if kept else "no: submit it again to deploy it"),
    ]


async def _find(
    settings: Settings, app: str, name: str
) -> tuple[Release, list[DeploymentRecord], VersionsByDigest]:
    async with journal(settings) as db, db.read() as connection:
        known = await releases.of_app(connection, app)
        found = named(known, app, name)
        records = await deployments.of_release(connection, app, found.digest)
    return found, records, {(r.app, r.digest): r.version for r in known}
