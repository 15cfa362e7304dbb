"""`bigred demo`."""

import json
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click

from bigred_server.demo.sample import BuildKind
from bigred_server.demo.scenario import Scenario, run_unattended, write

_BY_ERRORS = (BuildKind.ERRORS_20, BuildKind.ERRORS_ON_ORDERS)
_BAD = [kind.value for kind in BuildKind if kind.is_bad or kind in _BY_ERRORS]


@click.command("demo")
@click.option("--once", is_flag=True, help="Play it without a hand, told line by line.")
@click.option(
    "--json",
    "receipt_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the receipt to this file.",
)
@click.option("--nodes", type=click.IntRange(2, 9), default=3, show_default=True)
@click.option(
    "--rate",
    type=click.FloatRange(1, 1000),
    default=250.0,
    show_default=True,
    help="Requests per second.",
)
@click.option("--bad", type=click.Choice(_BAD), help="Submit a bad release of this kind.")
def command(
    once: bool, receipt_file: Path | None, nodes: int, rate: float, bad: str | None
) -> None:
    """See the main job done on this machine, for real: lid, press, and a row of Tomcats rolled.

    Mosquitto, HAProxy, Tomcats, the server, customers and a box with a simulated button run on
    free loopback ports in a temporary folder; nothing of it is left afterwards. At a terminal you
    are the one who pushes. Exit code 0 only if the outcome is the expected one and no request
    failed, but for those of a bad release that only its users can tell from a good one.
    """
    # SIGINT too: whoever started us in the background has it ignored, and we inherit that.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    play = Scenario(nodes, rate, BuildKind(bad) if bad else BuildKind.GOOD)
    if once or receipt_file or not (sys.stdin.isatty() and sys.stdout.isatty()):
        sys.exit(_once(play, receipt_file))
    from bigred_server.demo.interactive import run_interactively

    sys.exit(run_interactively(play))


def _leave(number: int, _frame: FrameType | None) -> None:
    # As an exception it unwinds every block, and each ends what it started.
    sys.exit(128 + number)


def _once(play: Scenario, receipt_file: Path | None) -> int:
    begun_s = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{time.monotonic() - begun_s:7.3f}  {text}")

    receipt, faults = run_unattended(play, say)
    click.echo(json.dumps(receipt, indent=2))
    if receipt_file is not None:
        write(receipt, receipt_file)
    for fault in faults:
        click.echo(f"bigred: {fault}", err=True)
    return 1 if faults else 0
