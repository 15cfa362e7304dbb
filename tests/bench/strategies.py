"""Every strategy by every reach, under load: seconds, requests and sessions lost, overhead.

    ./bigred bench strategies --nodes 4

Each line is a site of its own: Tomcats behind HAProxy with sticky cookies, 250 requests per second
with slow ones among them, and users with sessions. `open` is the number of sessions when the
deployment began, `made` that of all sessions; with "wait" users log out after some seconds and
others come. `overhead` is what the server adds to the time of a node's update beyond what the node
itself needs: requests in flight, Tomcat's stop and start, smoke tests and warm-up. The exit code is
1 if a request failed, sessions were lost that must be kept, or a deployment did not succeed.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence

from tests.support.routes import ROUTES, Rolled, Route, load_options, roll, site

from bigred_broker.program import ProgramError

HEAD = (
    "strategy reach sessions       seconds  requests  failed  open  made  lost  plan  "
    "overhead s: median   max"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy each way; print a line for each deployment, and the overall overhead."""
    options = parse(arguments)
    routes = [route for route in ROUTES if options.only in str(route)]
    rolled: list[Rolled] = []
    broken = 0
    report(HEAD)
    for route in routes:
        try:
            rolled += measure(route, options)
        except (ProgramError, OSError, AssertionError) as error:
            broken += 1
            report(f"{route!s:<28} FAULT: {type(error).__name__}: {error}")
    added = [each for one in rolled for each in one.overheads_s]
    if added:
        report(f"\noverhead per node: {figures(added)} ({len(added)} nodes)")
    failed = sum(len(one.failed) for one in rolled)
    report(f"{sum(one.requests for one in rolled)} requests, {failed} failed")
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
    parser.add_argument(
        "--only", default="", help='only ways that contain this, such as "parallel ssh"'
    )
    return parser.parse_args(arguments)


def measure(route: Route, options: argparse.Namespace) -> list[Rolled]:
    """Set up a site and deploy on it."""
    rolled = []
    with site(route, options.nodes) as rig:
        for number in range(options.times):
            asked = load_options(route, options.rate, options.users)
            rolled.append(roll(rig, route, asked, f"{number + 2}.0.0"))
            report(line(rolled[-1]))
            for fault in rolled[-1].faults():
                report(f"  FAULT: {fault}")
    return rolled


def line(one: Rolled) -> str:
    """Format one deployment."""
    return (
        f"{one.route!s:<28} {one.seconds:8.1f}  {one.requests:8}  {len(one.failed):6}  "
        f"{one.open:4}  "
        f"{one.sessions:4}  {one.lost:4}  {one.planned:4}  {figures(one.overheads_s)}"
    )


def figures(values: Sequence[float]) -> str:
    """Format median and maximum."""
    if not values:
        return "-"
    return f"{statistics.median(values):18.2f} {max(values):5.2f}"


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
