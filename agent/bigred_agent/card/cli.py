"""The verbs by which a box that is made from the card starts: its services call them."""

import asyncio
import sys
import time
from pathlib import Path

import click

TIMES = 5
EVERY_S = 60.0
# The network may come some seconds after the box.
PATIENCE_S = 60.0
_AGAIN_S = 3.0
_folder = click.Path(path_type=Path, file_okay=False)
card_option = click.option(
    "--card", type=_folder, default=Path("/boot/firmware"), help="The card's first partition."
)


@click.group("card")
def card() -> None:
    """Make this machine what bigred.toml on its card says (for its services)."""


@card.command("take-in")
@card_option
@click.option("--keep", type=_folder, default=Path("/data/box"), help="What the box keeps.")
def take_in(card: Path, keep: Path) -> None:
    """Read bigred.toml and configure the box, its network and its agent."""
    from bigred_agent.card import take_in as taking
    from bigred_agent.card.report import REPORT

    report = taking.take_in(taking.Places(card, keep))
    report.save(REPORT)
    for line in (*report.troubles, *report.notes):
        click.echo(line)


@card.command("complain")
def complain() -> None:
    """Say what is wrong with bigred.toml, some times."""
    from bigred_agent.card.report import REPORT, Report
    from bigred_agent.errors import AgentError
    from bigred_agent.settings import VoiceSettings
    from bigred_agent.voice.once import speak_once

    text = Report.load(REPORT).spoken()
    for number in range(TIMES if text else 0):
        if number:
            time.sleep(EVERY_S)
        try:
            asyncio.run(speak_once(text, VoiceSettings()))
        except AgentError as error:
            click.echo(f"not spoken: {error}", err=True)


@card.command("status")
@card_option
@click.option("--findings", type=click.Path(path_type=Path), help="What the doctor saved.")
def status(card: Path, findings: Path | None) -> None:
    """Write bigred-status.txt, and the same to the console."""
    from bigred_agent.card import status as standing
    from bigred_agent.card.report import REPORT, Report
    from bigred_agent.doctor import record
    from bigred_agent.doctor.finding import Finding
    from bigred_agent.doctor.network import network
    from bigred_agent.settings import SYSTEM_FILE, AgentSettings
    from bigred_broker.config import load

    report = Report.load(REPORT)
    found: list[Finding] = []
    name = "without a name"
    if report.configured and SYSTEM_FILE.exists():
        settings = load(SYSTEM_FILE, AgentSettings)
        name = settings.box.name
        until_s = time.monotonic() + PATIENCE_S
        while True:
            reached = asyncio.run(network(settings.broker))
            if all(one.is_well for one in reached) or time.monotonic() > until_s:
                break
            time.sleep(_AGAIN_S)
        found = [*(record.load(findings) if findings else []), *reached]
    told = standing.text(name, report, found, standing.now())
    click.echo(told)
    try:
        standing.write(card, told)
    except OSError as error:
        click.echo(f"the status can't be written to the card: {error}", err=True)
        sys.exit(1)
