"""Every strategy by every way to a node, under load: seconds, requests and sessions lost, overhead.

    ./bigred bench strategies --nodes 4

Each line is one site of its own: Tomcats behind HAProxy with sticky cookies, 250 requests a second
with slow ones among them, and users with sessions. `open` is how many sessions there were at the
press, `made` all of them; with "wait" users log out after some seconds and others come. `overhead`
is what the server adds to a node's time in hand beyond what the node needs itself: requests in
flight, Tomcat's stop and start, smoke tests and warm-up. The exit code is 1 if a request failed,
sessions were lost that must not be, or a deployment did not succeed.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence

from tests.support.routes import WAYS, Rolled, Route, orders, roll, site

from bigred_broker.program import ProgramError

HEAD = (
    "strategy reach sessions       seconds  requests  failed  open  made  lost  plan  "
    "overhead s: median   max"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Roll each way, tell a line a deployment, and the overhead over all."""
    options = parse(arguments)
    ways = [way for way in WAYS if options.only in str(way)]
    rolled: list[Rolled] = []
    broken = 0
    tell(HEAD)
    for way in ways:
        try:
            rolled += measure(way, options)
        except (ProgramError, OSError, AssertionError) as error:
            broken += 1
            tell(f"{way!s:<28} NOT AS IT MUST BE: {type(error).__name__}: {error}")
    added = [each for one in rolled for each in one.overheads_s]
    if added:
        tell(f"\noverhead per node over all: {figures(added)} ({len(added)} nodes)")
    failed = sum(len(one.failed) for one in rolled)
    tell(f"{sum(one.requests for one in rolled)} requests, {failed} failed")
    faulty = any(one.faults() for one in rolled)
    return 1 if broken or faulty else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench strategies", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--rate", type=float, default=250.0, help="requests per second")
    parser.add_argument("--users", type=int, default=40, help="users with sessions")
    parser.add_argument("--times", type=int, default=1, help="deployments on each site")
    parser.add_argument("--only", default="", help='ways that contain this, as "parallel ssh"')
    return parser.parse_args(arguments)


def measure(way: Route, options: argparse.Namespace) -> list[Rolled]:
    """Set a site up and roll it."""
    rolled = []
    with site(way, options.nodes) as rig:
        for number in range(options.times):
            asked = orders(way, options.rate, options.users)
            rolled.append(roll(rig, way, asked, f"{number + 2}.0.0"))
            tell(line(rolled[-1]))
            for fault in rolled[-1].faults():
                tell(f"  NOT AS IT MUST BE: {fault}")
    return rolled


def line(one: Rolled) -> str:
    """Write one deployment."""
    return (
        f"{one.way!s:<28} {one.seconds:8.1f}  {one.requests:8}  {len(one.failed):6}  {one.open:4}  "
        f"{one.sessions:4}  {one.lost:4}  {one.planned:4}  {figures(one.overheads_s)}"
    )


def figures(values: Sequence[float]) -> str:
    """Write median and maximum."""
    if not values:
        return "-"
    return f"{statistics.median(values):18.2f} {max(values):5.2f}"


def tell(text: str) -> None:
    """Print a line at once, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
