"""The commands for the services of a box that starts from the card."""

import sys
import time
from pathlib import Path

import click

TIMES = 5
EVERY_S = 60.0
# The network may come up some seconds after the box.
NETWORK_DEADLINE_S = 60.0
_RETRY_S = 3.0
_folder = click.Path(path_type=Path, file_okay=False)
card_option = click.option(
    "--card", type=_folder, default=Path("/boot/firmware"), help="The card's first partition."
)


@click.group("card")
def card() -> None:
    """Configure this machine from bigred.toml on its card (for its services)."""


@card.command()
@card_option
@click.option("--store", type=_folder, default=Path("/data/box"), help="The box's own copy.")
def provision(card: Path, store: Path) -> None:
    """Configure the box, its network and its agent from bigred.toml."""
    from bigred_agent.card import provisioning
    from bigred_agent.card.report import REPORT

    report = provisioning.provision(provisioning.Folders(card, store))
    report.save(REPORT)
    for line in (*report.problems, *report.notes):
        click.echo(line)


@card.command()
def announce() -> None:
    """Speak what is wrong with bigred.toml, five times in five minutes."""
    import asyncio

    from bigred_agent.card import plan
    from bigred_agent.card.report import REPORT, Report
    from bigred_agent.errors import AgentError
    from bigred_agent.settings import VoiceSettings
    from bigred_agent.voice.once import speak_once

    voice, rate = plan.VOICES["en"]
    text = Report.load(REPORT).spoken()
    for number in range(TIMES if text else 0):
        if number:
            time.sleep(EVERY_S)
        try:
            asyncio.run(speak_once(text, VoiceSettings(voice=voice, rate=rate)))
        except AgentError as error:
            click.echo(f"not spoken: {error}", err=True)


@card.command("status")
@card_option
@click.option("--findings", type=click.Path(path_type=Path), help="The doctor's saved findings.")
def status(card: Path, findings: Path | None) -> None:
    """Write bigred-status.txt to the card, and print it."""
    import asyncio

    from bigred_agent.card import status as status_file
    from bigred_agent.card.report import REPORT, Report
    from bigred_agent.doctor import record
    from bigred_agent.doctor.finding import Finding
    from bigred_agent.doctor.network import network
    from bigred_agent.settings import SYSTEM_FILE, AgentSettings
    from bigred_broker.config import load

    report = Report.load(REPORT)
    found: list[Finding] = []
    name = "(no name)"
    if report.configured and SYSTEM_FILE.exists():
        settings = load(SYSTEM_FILE, AgentSettings)
        name = settings.box.name
        until_s = time.monotonic() + NETWORK_DEADLINE_S
        while True:
            reached = asyncio.run(network(settings.broker, name))
            if all(one.is_ok for one in reached) or time.monotonic() > until_s:
                break
            time.sleep(_RETRY_S)
        found = [*(record.load(findings) if findings else []), *reached]
    text = status_file.text(name, report, found, status_file.now())
    click.echo(text)
    try:
        status_file.write(card, text)
    except OSError as error:
        click.echo(f"the status can't be written to the card: {error}", err=True)
        sys.exit(1)
