"""`bigred build`: the submitted commits, and what became of each."""

import json
import shutil
import sys
from pathlib import Path

import click

from bigred_server.cli import page, table
from bigred_server.cli.options import app_option, config_option, journal, pick_app, run, settings_of
from bigred_server.journal import builds
from bigred_server.model.build import Build, build_text
from bigred_server.places import builds_folder
from bigred_server.settings import Settings

_HEADINGS = ("build", "stage", "commit", "by", "version", "submitted", "seconds")
_COMMIT = 12
_WIDEST = 20


@click.group("build")
def command() -> None:
    """List builds and print their logs. A build turns one commit into a release."""


@command.command("list")
@click.option("--limit", "-n", default=20, show_default=True, help="How many to list.")
@click.option("--json", "as_json", is_flag=True, help="Print the JSON of the HTTP API.")
@app_option
@config_option
def list_(limit: int, as_json: bool, app: str | None, config: Path | None) -> None:
    """List the builds of an app, newest first."""
    settings = settings_of(config)
    name = pick_app(settings, app)
    found = run(_known(settings, name, limit))
    if as_json:
        # Imported late: the models of the HTTP API are needed for JSON alone.
        from bigred_server.web.models import BuildShown

        click.echo(json.dumps([BuildShown.of(one).model_dump() for one in found], indent=2))
    elif not found:
        click.echo(f"no commit of {name} has been submitted yet; see: bigred hook install --help")
    else:
        table.write([*map(_row, found)], _HEADINGS, notes=[one.reason for one in found])


@command.command("log")
@click.argument("number", type=int)
@click.argument("stage", default="build")
@app_option
@config_option
def log(number: int, stage: str, app: str | None, config: Path | None) -> None:
    """Print the output of a build or of a test stage.

    Without STAGE it is that of the build command of build NUMBER.
    """
    settings = settings_of(config)
    name = pick_app(settings, app)
    found = next((one for one in run(_known(settings, name, 1000)) if one.number == number), None)
    if found is None:
        raise click.ClickException(
            f"no build {number} of {name}; list the builds with: bigred build list"
        )
    folder = builds_folder(settings.server.state, name) / found.id / "logs"
    logs = sorted(path.stem for path in folder.glob("*.log"))
    if stage not in logs:
        kept = f"available: {', '.join(logs)}" if logs else "no log is kept on this machine"
        raise click.ClickException(f"{build_text(found)}; it has no log {stage!r}; {kept}")
    with (folder / f"{stage}.log").open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)


def _row(build: Build) -> tuple[str, ...]:
    seconds = "-"
    if build.started_at and build.ended_at:
        seconds = f"{build.ended_at - build.started_at:.1f}"
    stage = f"{build.stage}: {build.test}" if build.test and not build.digest else build.stage
    return (
        str(build.number),
        stage,
        build.commit[:_COMMIT],
        page.plain(build.author or build.who, _WIDEST) or "-",
        page.plain(build.version, _WIDEST) or "-",
        page.moment(build.handed_in_at),
        seconds,
    )


async def _known(settings: Settings, app: str, limit: int) -> list[Build]:
    async with journal(settings) as db, db.read() as connection:
        return await builds.of_app(connection, app, limit=limit)
