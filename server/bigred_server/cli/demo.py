"""`bigred demo`."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click

from bigred_server.demo.sample import BuildKind
from bigred_server.demo.scenario import Scenario, run_unattended, write

# Terminals that can't move their cursor.
_DUMB = ("dumb", "unknown", "")
_BY_ERRORS = (BuildKind.ERRORS_20, BuildKind.ERRORS_ON_ORDERS)
_BAD = [kind.value for kind in BuildKind if kind.is_bad or kind in _BY_ERRORS]


@click.command("demo")
@click.option("--once", is_flag=True, help="Run unattended and print each event.")
@click.option(
    "--json",
    "receipt_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Run unattended and write the receipt to this file.",
)
@click.option(
    "--nodes", type=click.IntRange(2, 9), default=3, show_default=True, help="Number of Tomcats."
)
@click.option(
    "--rate",
    type=click.FloatRange(1, 1000),
    default=250.0,
    show_default=True,
    help="Customers' requests per second.",
)
@click.option("--bad", type=click.Choice(_BAD), help="Submit a bad release of this kind.")
def command(
    once: bool, receipt_file: Path | None, nodes: int, rate: float, bad: str | None
) -> None:
    """Deploy to real Tomcats behind a real HAProxy, on this machine.

    Mosquitto, HAProxy, the Tomcats, the server, simulated customers and a box with a simulated
    button run on free loopback ports in a temporary folder; nothing is left afterwards. At a
    terminal, you push the button. Exit code 0 only if the outcome is the expected one and no
    request failed, apart from those that errors-20 and errors-on-orders fail on purpose.
    """
    # SIGINT too: a shell that starts us in the background ignores it, and we inherit that.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    scenario = Scenario(nodes, rate, BuildKind(bad) if bad else BuildKind.GOOD)
    if once or receipt_file or not _can_draw():
        sys.exit(_run_unattended(scenario, receipt_file))
    from bigred_server.demo.interactive import run_interactively

    sys.exit(run_interactively(scenario))


def _can_draw() -> bool:
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return is_terminal and os.environ.get("TERM", "dumb") not in _DUMB


def _leave(number: int, _frame: FrameType | None) -> None:
    # As an exception it unwinds every block, and each stops what it started.
    sys.exit(128 + number)


def _run_unattended(scenario: Scenario, receipt_file: Path | None) -> int:
    started_s = time.monotonic()

    def report(text: str) -> None:
        click.echo(f"{time.monotonic() - started_s:7.3f}  {text}")

    receipt, faults = run_unattended(scenario, report)
    click.echo(json.dumps(receipt, indent=2))
    if receipt_file is not None:
        write(receipt, receipt_file)
    for fault in faults:
        click.echo(f"bigred: {fault}", err=True)
    return 1 if faults else 0
