"""How soon a box is armed while another client floods the broker.

    ./bigred bench flood --tries 100

A server, Mosquitto, and an app that Jenkins deploys. A client sends 5,000 messages a second, of
each kind (garbage, valid events of another box, events and infos of boxes that nobody knows) with
QoS 0 and 1, while the lid of another box opens and closes. The figures are the milliseconds from
the lid to the arming, how much memory grew, and the lines of the server's log per minute. It takes
about 20 s a kind, and ends by itself.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.flooder import Kind
from tests.support.floods import Flood, flood_site

MOST_TRIES = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="./bigred bench flood", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--tries", type=int, default=100, help="of each kind (default 100)")
    parser.add_argument("--per-second", type=float, default=5000.0, help="(default 5000)")
    options = parser.parse_args(arguments)
    tries = min(options.tries, MOST_TRIES)
    report(
        "lid to armed, in ms      median      p90      p99      max    server    broker  log/min"
    )
    with (
        tempfile.TemporaryDirectory(prefix="bigred-flood-") as folder,
        flood_site(Path(folder)) as site,
    ):
        report(figures("no flood", site.flooded(None, 0, tries)))
        for kind, qos in itertools.product(Kind, (0, 1)):
            flood = site.flooded(kind, qos, tries, options.per_second)
            report(figures(f"{kind}, QoS {qos}", flood))
        report(figures("no flood, afterwards", site.flooded(None, 0, tries)))
    return 0


def figures(name: str, flood: Flood) -> str:
    """Return a line of the table."""
    cuts = statistics.quantiles([1000 * one for one in flood.armed_s], n=100, method="inclusive")
    milliseconds = (cuts[49], cuts[89], cuts[98], 1000 * max(flood.armed_s))
    cells = "".join(f"{one:>9.1f}" for one in milliseconds)
    memory = "".join(f"{flood.grown_kib[one] / 1024:>+6.1f} MiB" for one in ("server", "broker"))
    return f"{name:<22}{cells}{memory}{flood.lines / flood.seconds * 60:>9.0f}"


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
