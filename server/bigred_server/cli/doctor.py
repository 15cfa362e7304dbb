"""`bigred doctor`."""

import itertools
import json
import sys
from pathlib import Path

import click
from rich.text import Text
from sqlalchemy.exc import DatabaseError

from bigred_server.cli import table
from bigred_server.cli.options import (
    app_option,
    config_option,
    journal,
    pick_app,
    run,
    settings_of,
)
from bigred_server.doctor.checkup import SiteFacts, examine
from bigred_server.doctor.finding import Finding, Severity, worst_first
from bigred_server.errors import BigredError
from bigred_server.journal import releases
from bigred_server.model.release import Release, live_of
from bigred_server.settings import Settings

_COLOURS = {Severity.BAD: "bold red", Severity.WARN: "yellow", Severity.UNKNOWN: "cyan"}
_FIX = "dim"


@click.command("doctor")
@app_option
@click.option("--json", "as_json", is_flag=True, help="Print every finding, a JSON list.")
@config_option
def command(app: str | None, as_json: bool, config: Path | None) -> None:
    """Look at HAProxy, the Tomcats and this machine for what would lose requests.

    Nothing is changed. Exit code 1 if anything is bad: a deployment would fail, or lose requests.
    """
    settings = settings_of(config)
    names = [pick_app(settings, app)] if app else list(settings.apps)
    findings = run(_examine(settings, names))
    if as_json:
        click.echo(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        _print(findings)
    sys.exit(1 if any(finding.level is Severity.BAD for finding in findings) else 0)


async def _examine(settings: Settings, names: list[str]) -> list[Finding]:
    known, findings = await _remembered(settings, names)
    return worst_first([*findings, *await examine(settings, known)])


async def _remembered(
    settings: Settings, names: list[str]
) -> tuple[dict[str, SiteFacts], list[Finding]]:
    known = {name: SiteFacts() for name in names}
    # A look must not make what is not there yet.
    if not settings.server.state.exists():
        return known, []
    try:
        async with journal(settings) as db, db.read() as connection:
            for name in names:
                known[name] = _known(await releases.of_app(connection, name))
    except (BigredError, DatabaseError, click.ClickException) as error:
        fix = "fix this first: the server does not start without its journal"
        return known, [Finding("journal", Severity.BAD, "server", f"no journal: {error}", fix)]
    return known, [Finding("journal", Severity.OK, "server", "the journal can be read")]


def _known(there: list[Release]) -> SiteFacts:
    live = live_of(there)
    return SiteFacts(live.marker if live else None, max((one.size for one in there), default=0))


def _print(findings: list[Finding]) -> None:
    told = [finding for finding in findings if finding.level is not Severity.OK]
    if sys.stdout.isatty():
        _print_for_people(told)
    else:
        # Into a pipe or a file each goes as one line, for the programs that read them.
        for finding in told:
            fix = f"; {finding.fix}" if finding.fix else ""
            click.echo(f"{finding.level}: {finding.where}: {finding.text}{fix}")
    click.echo(f"{len(findings) - len(told)} of {len(findings)} things looked at are well.")


def _print_for_people(findings: list[Finding]) -> None:
    rows = []
    alike = itertools.groupby(
        findings, lambda finding: (finding.level, finding.where, finding.text)
    )
    for (level, where, text), several in alike:
        what = Text.assemble((where, "bold"), "\n", text)
        for finding in several:
            if finding.fix:
                what.append(f"\n→ {finding.fix}", _FIX)
        rows.append((Text(level, _COLOURS[level]), Text("\n").join([what, Text()])))
    table.write(rows)
