"""`bigred doctor`."""

import itertools
import json
import sys
import time
from pathlib import Path

import click
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from bigred_server.cli import table
from bigred_server.cli.options import (
    app_option,
    config_file,
    config_option,
    journal,
    pick_app,
    run,
)
from bigred_server.doctor import private, tokens
from bigred_server.doctor.checkup import examine
from bigred_server.doctor.finding import Finding, Severity, worst_first
from bigred_server.doctor.site_facts import SiteFacts
from bigred_server.errors import BigredError
from bigred_server.journal import api_tokens, integrity, releases
from bigred_server.journal.unavailable import JournalUnavailableError
from bigred_server.model.release import Release, live_of
from bigred_server.settings import Settings, load

_COLOURS = {Severity.BAD: "bold red", Severity.WARN: "yellow", Severity.UNKNOWN: "cyan"}
_FIX = "dim"


@click.command("doctor")
@app_option
@click.option("--json", "as_json", is_flag=True, help="Print every finding as a JSON list.")
@config_option
def command(app: str | None, as_json: bool, config: Path | None) -> None:
    """Find problems that would lose requests, and how to fix them.

    HAProxy, the Tomcats, the broker and this machine are checked; nothing is changed. Exit code 1
    if any finding is bad: a deployment would fail or lose requests.
    """
    file = config_file(config)
    settings = load(file)
    names = [pick_app(settings, app)] if app else list(settings.apps)
    own = [*private.configuration(file, settings), *private.state(settings.server)]
    findings = worst_first([*own, *run(_examine(settings, names))])
    if as_json:
        click.echo(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        _print(findings)
    sys.exit(1 if any(finding.level is Severity.BAD for finding in findings) else 0)


async def _examine(settings: Settings, names: list[str]) -> list[Finding]:
    known, findings = await _from_journal(settings, names)
    return [*findings, *await examine(settings, known)]


async def _from_journal(
    settings: Settings, names: list[str]
) -> tuple[dict[str, SiteFacts], list[Finding]]:
    known = {name: SiteFacts() for name in names}
    # Opening the journal would create it; a check must not.
    if not settings.server.state.exists():
        return known, []
    try:
        async with journal(settings) as db, db.read() as connection:
            for name in names:
                known[name] = _facts(await releases.of_app(connection, name))
            problems = await integrity.problems(connection)
            expiring = tokens.check(await api_tokens.every(connection), time.time())
    except (BigredError, SQLAlchemyError, click.ClickException) as error:
        text = str(error) if isinstance(error, JournalUnavailableError) else _unusable(error)
        fix = "fix this first: the server does not start without its journal"
        return known, [Finding("journal", Severity.BAD, "server", text, fix)]
    if problems:
        text = f"the journal is damaged: {'; '.join(problems)}"
        fix = "stop the server, keep a copy of it, and restore the last backup: bigred restore"
        return known, [Finding("journal", Severity.BAD, "server", text, fix)]
    return known, [Finding("journal", Severity.OK, "server", "the journal is whole"), *expiring]


def _unusable(error: Exception) -> str:
    return f"the journal can't be used: {error}"


def _facts(known: list[Release]) -> SiteFacts:
    return SiteFacts(live_of(known), max((one.size for one in known), default=0))


def _print(findings: list[Finding]) -> None:
    problems = [finding for finding in findings if finding.level is not Severity.OK]
    if sys.stdout.isatty():
        _print_for_people(problems)
    else:
        # In a pipe or a file, each finding is one line, for the programs that read them.
        for finding in problems:
            fix = f"; {finding.fix}" if finding.fix else ""
            click.echo(f"{finding.level}: {finding.where}: {finding.text}{fix}")
    click.echo(f"{len(findings) - len(problems)} of {len(findings)} checks passed.")


def _print_for_people(findings: list[Finding]) -> None:
    rows = []
    groups = itertools.groupby(
        findings, lambda finding: (finding.level, finding.where, finding.text)
    )
    for (level, where, text), group in groups:
        cell = Text.assemble((where, "bold"), "\n", text)
        for finding in group:
            if finding.fix:
                cell.append(f"\n→ {finding.fix}", _FIX)
        rows.append((Text(level, _COLOURS[level]), Text("\n").join([cell, Text()])))
    table.write(rows)
