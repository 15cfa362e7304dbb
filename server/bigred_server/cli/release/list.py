"""`bigred release list`."""

import json
from pathlib import Path

import click

from bigred_server.cli import page, table
from bigred_server.cli.options import app_option, config_option, journal, pick_app, run, settings_of
from bigred_server.journal import releases
from bigred_server.model.release import Release
from bigred_server.places import release_store
from bigred_server.settings import Settings

_HEADINGS = ("version", "stage", "SHA-256", "size", "submitted", "author", "commit", "kept")
# Enough to name a release, and as many as people compare.
_DIGITS = 8
_COMMIT = 12
_WIDEST = 20


@click.command("list")
@app_option
@click.option("--json", "as_json", is_flag=True, help="Print the JSON of the HTTP API.")
@config_option
def list_(app: str | None, as_json: bool, config: Path | None) -> None:
    """List the releases of an app, newest first.

    The last column shows whether the WAR is still kept, so that it can be deployed.
    """
    settings = settings_of(config)
    name = pick_app(settings, app)
    store = release_store(settings.server)
    found = [(release, store.has(release.digest)) for release in run(_known(settings, name))]
    if as_json:
        # Imported late: the models of the HTTP API are needed for JSON alone.
        from bigred_server.web.models import ReleaseShown

        shown = [ReleaseShown.of(release, kept=kept).model_dump() for release, kept in found]
        click.echo(json.dumps(shown, indent=2))
    elif not found:
        click.echo(f"no releases of {name} yet; submit one with: bigred submit")
    else:
        table.write([_row(each, kept=kept) for each, kept in found], _HEADINGS)


def _row(release: Release, *, kept: bool) -> tuple[str, ...]:
    return (
        release.version,
        release.stage,
        release.digest[:_DIGITS],
        page.size(release.size),
        page.moment(release.submitted_at),
        page.plain(release.author, _WIDEST) or "-",
        page.plain(release.commit[:_COMMIT]) or "-",
        "yes" if kept else "no",
    )


async def _known(settings: Settings, app: str) -> list[Release]:
    async with journal(settings) as db, db.read() as connection:
        return await releases.of_app(connection, app)
