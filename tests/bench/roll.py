"""How long a rolling deployment takes: Bigred, and what people would use instead.

    ./bigred bench roll
    ./bigred bench roll --nodes 4 --only fast --peers hand --runs 5

Tomcats behind HAProxy under a light load, with 2, 4 and 8 nodes; with restarts, once more while
some requests take up to 5 s, and with the Manager ("redeploy", "parallel"). On each site all deploy
in turn, again and again. All of it, three times each, takes about three quarters of an hour.

- Bigred with its defaults, with 200 warm-up requests per node and without.
- By hand: a script that takes a node out of HAProxy, waits until it has no request, stops it, swaps
  the WAR, starts it, waits until it answers, waits for HAProxy's check, and brings it back. With
  "redeploy" the Manager does the middle part. "Nothing else" only calls the Manager.
- Ansible, one node at a time (rolling_update.yml), with its haproxy module. The first call installs
  it from PyPI into the user's cache folder; it is left out if that fails.
- The ancestor's script (ancestor.sh: stop, copy, start), behind HAProxy with its own defaults of
  retries and health checks; until every node serves again.

The figures are seconds; for Bigred from the moment at which the deployment is recorded until it has
succeeded. "factor" compares the median with that of the script, two nodes at a time where Bigred's
default allows it, or of the bare Manager. "longest": the longest that a customer waited for an
answer that is not slow on purpose. The exit code is 1 if a wanted figure is missed.
"""

import argparse
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.ansible import Ansible, installed
from tests.support.machine import described, machine
from tests.support.roll_cases import RollCase, Way
from tests.support.roll_peers import peers
from tests.support.roll_site import Peer, roll_site
from tests.support.roll_table import RollRun, head, line, table

from bigred_broker.program import ProgramError
from bigred_server.rollout.core.target import Strategy

MOST_RUNS = 50
MOST_NODES = 16
_PEERS = ("hand", "ansible", "ancestor")
# What a deployment that does not succeed may raise.
_FAULTS = (
    ProgramError,
    OSError,
    AssertionError,
    subprocess.SubprocessError,
    http.client.HTTPException,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a table for each site; return 1 if a wanted figure is missed."""
    options = parse(arguments)
    sites = cases(options)
    if not sites:
        report(f"no site is named {options.only!r}; all: {'; '.join(map(str, _all(options)))}")
        return 2
    end_s = time.monotonic() + 60 * options.minutes
    found = machine()
    report(described(found))
    known = peers(ansible(options))
    report(f"takes about {expected_s(options, known) / 60:.0f} minutes")
    runs: list[RollRun] = []
    faults = 0
    for case in sites:
        try:
            runs.extend(measure(case, options, known, end_s))
        except _FAULTS as error:
            faults += 1
            report(f"  FAULT: {type(error).__name__}: {error}")
        report(f"\n{head(case)}")
        for row in table([run for run in runs if run.case == case]):
            report(line(row))
            faults += len(row.faults())
        report("")
    if options.json:
        rows = [row.as_json() for row in table(runs)]
        options.json.write_text(json.dumps({"machine": found, "rows": rows}, indent=2) + "\n")
    planned = options.runs * sum(len(ways_of(case, options, known)) for case in sites)
    if len(runs) < planned:
        faults += 1
        why = "the time is over" if time.monotonic() > end_s else "see the faults above"
        report(f"{len(runs)} of {planned} runs were measured: {why}")
    return 1 if faults else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench roll", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--nodes", type=numbers, default=(2, 4, 8), help="default 2,4,8")
    parser.add_argument("--runs", type=int, default=3, help="of each (default 3)")
    parser.add_argument("--peers", type=names, default=_PEERS, help=f"of {','.join(_PEERS)}")
    parser.add_argument("--only", default="", help='only sites named so, such as "redeploy, 4"')
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second (100)")
    parser.add_argument(
        "--slow", type=int, default=4, help="users per node with slow requests (default 4)"
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="begin nothing later (60)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    options = parser.parse_args(arguments)
    options.runs = max(1, min(options.runs, MOST_RUNS))
    return options


def numbers(text: str) -> tuple[int, ...]:
    """Read "2,4,8"."""
    found = tuple(int(word) for word in text.split(","))
    if not all(2 <= number <= MOST_NODES for number in found):
        raise argparse.ArgumentTypeError(f"{text!r}: 2 to {MOST_NODES} nodes")
    return found


def names(text: str) -> tuple[str, ...]:
    """Read "hand,ansible"."""
    found = tuple(filter(None, text.split(",")))
    if unknown := set(found) - set(_PEERS):
        raise argparse.ArgumentTypeError(f"no peer {unknown}; available: {','.join(_PEERS)}")
    return found


def cases(options: argparse.Namespace) -> list[RollCase]:
    """List the sites that are asked for."""
    return [case for case in _all(options) if options.only in str(case)]


def _all(options: argparse.Namespace) -> list[RollCase]:
    kinds = [(Strategy.RESTART, False), (Strategy.RESTART, True)]
    kinds += [(Strategy.REDEPLOY, False), (Strategy.PARALLEL, False)]
    return [RollCase(kind, nodes, slow) for kind, slow in kinds for nodes in options.nodes]


def ansible(options: argparse.Namespace) -> Ansible | None:
    """Return Ansible if it is wanted, and say so if there is none."""
    everybody = [way for case in cases(options) for way in ways_of(case, options, set(Way))]
    if Way.ANSIBLE not in everybody:
        return None
    report("installing Ansible, unless an earlier call did")
    try:
        found = installed()
        report(found.versions)
    except (ProgramError, OSError) as error:
        report(f"Ansible is left out, it can't be installed: {error}")
        return None
    return found


def ways_of(case: RollCase, options: argparse.Namespace, known: Collection[Way]) -> tuple[Way, ...]:
    """Return who deploys on a site."""
    asked = ("", *options.peers)
    return tuple(
        way for way in case.ways() if way.option in asked and (way.is_ours or way in known)
    )


def expected_s(options: argparse.Namespace, known: Collection[Way]) -> float:
    """Return about how long everything takes."""
    runs = [(case, way) for case in cases(options) for way in ways_of(case, options, known)]
    times: int = options.runs
    return times * sum(case.expected_s(way) for case, way in runs)


def measure(
    case: RollCase, options: argparse.Namespace, known: Mapping[Way, Peer], end_s: float
) -> Iterator[RollRun]:
    """Set up a site, let everybody deploy there in turn, and yield each deployment."""
    ways = ways_of(case, options, known)
    report(f"{case}: {options.runs} runs of {len(ways)}")
    with roll_site(case, options.rate, options.slow) as site:
        for number in range(options.runs):
            for way in ways:
                if time.monotonic() > end_s:
                    return
                run = site.measured(way, known)
                times = f"{run.seconds:8.2f} s, {run.failed} of {run.requests} failed"
                report(f"  {number + 1} of {options.runs}: {way:<38}{times}")
                yield run


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
