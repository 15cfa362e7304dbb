"""The command line `bigred-agent`. Each command imports its heavy modules itself."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from bigred_agent.card.cli import card

if TYPE_CHECKING:
    from bigred_agent.settings import AgentSettings

CONFIG_HELP = "The configuration file; by default ./agent.toml or /etc/bigred/agent.toml."
NOT_SPOKEN = "not spoken"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bigred")
def main() -> None:
    """Run the box: a big red button, lights and a voice."""


main.add_command(card)


def _config_option(command: click.decorators.FC) -> click.decorators.FC:
    return click.option("--config", "-c", type=click.Path(path_type=Path), help=CONFIG_HELP)(
        command
    )


@main.command()
@_config_option
@click.option("--name", help="The name of this box; overrides the file.")
@click.option("--broker", metavar="HOST:PORT", help="The broker; overrides the file.")
@click.option(
    "--simulated",
    metavar="SOCKET",
    type=click.Path(path_type=Path),
    help="Use a simulated button, controlled through this UNIX socket.",
)
@click.option("--keyboard", is_flag=True, help="Use a simulated button, controlled by keys.")
@click.option("--muted", is_flag=True, help="Do not speak.")
@click.option(
    "--findings",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Run the doctor first; write its findings to this file and the box's info.",
)
@click.option("--log", "style", type=click.Choice(["console", "json"]), help="The log format.")
def run(
    config: Path | None,
    name: str | None,
    broker: str | None,
    simulated: Path | None,
    keyboard: bool,
    muted: bool,
    findings: Path | None,
    style: str | None,
) -> None:
    """Run the box until it is stopped."""
    import asyncio

    from bigred_agent import build
    from bigred_agent.doctor import report
    from bigred_agent.doctor.checkup import Checkup
    from bigred_agent.errors import AgentError
    from bigred_agent.flags import Flags, applied
    from bigred_broker import logs

    flags = Flags(name, broker, simulated, keyboard, muted, style)
    try:
        settings = applied(_settings(config), flags)
    except ValueError as error:
        _fail(str(error))
    logs.configure(settings.log.style, settings.log.level)
    checkup = Checkup(report.hardware(settings), findings) if findings else None
    try:
        asyncio.run(build.run(settings, click.echo, checkup))
    except AgentError as error:
        _fail(str(error))


@main.command()
@_config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(config: Path | None, as_json: bool) -> None:
    """Find problems with this box, and how to fix them."""
    from bigred_agent.doctor import record, report
    from bigred_agent.doctor.configuration import configuration

    file = _file(config)
    findings = [configuration(file), *report.examine(_settings(file))]
    click.echo(record.as_json(findings) if as_json else report.as_text(findings))
    if not all(finding.is_ok for finding in findings):
        sys.exit(1)


@main.command()
@_config_option
@click.argument("text", nargs=-1)
def say(config: Path | None, text: tuple[str, ...]) -> None:
    """Speak TEXT, or the test phrase."""
    import asyncio

    from bigred_agent.errors import AgentError
    from bigred_agent.voice.once import speak_once

    try:
        asyncio.run(speak_once(" ".join(text), _settings(config).voice))
    except AgentError as error:
        _fail(f"{NOT_SPOKEN}: {error}")


@main.command()
@click.argument("file", type=click.Path(path_type=Path), default=Path("agent.toml"))
def init(file: Path) -> None:
    """Write the annotated example configuration to FILE (default: agent.toml)."""
    from bigred_agent.settings import example

    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(example())
    except FileExistsError:
        _fail(f"{file} already exists and was not changed; choose another name")
    except OSError as error:
        _fail(f"{file} can't be written: {error}")
    click.echo(f"wrote {file}; now run: bigred-agent run --config {file}")


def _file(config: Path | None) -> Path | None:
    """Return the given file, or the first that exists, or None."""
    from bigred_agent.settings import LOCAL_FILE, SYSTEM_FILE

    return config or next((file for file in (LOCAL_FILE, SYSTEM_FILE) if _is_there(file)), None)


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except PermissionError:  # it is read next, and the error says that it can't be
        return True


def _settings(config: Path | None) -> "AgentSettings":
    from bigred_agent.settings import AgentSettings
    from bigred_broker.config import ConfigError, load

    file = _file(config)
    try:
        return load(file, AgentSettings) if file else AgentSettings()
    except ConfigError as error:
        _fail(str(error))


def _fail(sentence: str) -> NoReturn:
    click.echo(f"bigred-agent: {sentence}", err=True)
    sys.exit(1)
