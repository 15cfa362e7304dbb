"""The random campaign on real processes: deployments meet faults, and no request is lost.

    ./bigred bench campaign --runs 100 --seed 1

A site with light Tomcats under load is set up for each strategy in turn; each run deploys the next
release there while the faults drawn by its seed happen. Afterwards the deployment must have an
outcome, all nodes must run one release and be in the pool (or the reason must name those that do
not), the journal must be consistent, and no more requests may have failed than were in flight on a
Tomcat that was killed. Nodes that are out of the pool or on an old release must come back by
themselves. A run takes about half a minute. A failed run is printed with its whole story and makes
the exit code 1; the next one gets a new site. The seed alone repeats it:

    ./bigred bench campaign --runs 1 --seed 4711 --strategy restart

A full restart of HAProxy inevitably loses requests: with --restarts it happens too, and the failed
requests of those runs are counted separately.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence

from tests.support.campaign import Campaign, Result, campaign
from tests.support.faults import Fault, draw

from bigred_broker.program import ProgramError
from bigred_server.demo.load import LoadOptions
from bigred_server.rollout.core.target import Strategy

MOST_RUNS = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; print a line for each run, and the totals."""
    options = parse(arguments)
    strategies = [Strategy(options.strategy)] if options.strategy else list(Strategy)
    end_s = time.monotonic() + options.minutes * 60
    results: list[Result] = []
    runs = min(options.runs, MOST_RUNS)
    for number, strategy in enumerate(strategies):
        # Assigned in turn, so that a seed has the same strategy however many runs there are.
        seeds = list(range(options.seed + number, options.seed + runs, len(strategies)))
        results += series(strategy, seeds, options, end_s)
    for line in summary(results):
        report(line)
    if len(results) < runs:
        report(f"only {len(results)} of {runs} runs were started in {options.minutes:g} minutes")
    return 1 if len(results) < runs or any(result.faults for result in results) else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench campaign", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--strategy", choices=list(Strategy), help="only this one")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--rate", type=float, default=100.0, help="requests per second")
    parser.add_argument("--restarts", action="store_true", help="also restart HAProxy")
    parser.add_argument("--minutes", type=float, default=240.0, help="start no run after this")
    parser.add_argument("--stories", action="store_true", help="print the story of each run")
    return parser.parse_args(arguments)


def series(
    strategy: Strategy, seeds: list[int], options: argparse.Namespace, end_s: float
) -> Iterator[Result]:
    """Yield the result of each seed on sites of one strategy; a new site after each failure."""
    load_options = LoadOptions(
        options.rate, slow=2 * options.nodes, slowest_ms=1500, users=2 * options.nodes
    )
    kinds = [one for one in Fault if options.restarts or one is not Fault.HAPROXY_RESTARTED]
    while seeds and time.monotonic() < end_s:
        with campaign(options.nodes, strategy, load_options) as site:
            report(f"{strategy}: an undisturbed deployment takes {site.calibrate():.1f} s")
            while seeds and time.monotonic() < end_s:
                result = run(site, seeds.pop(0), kinds)
                show(strategy, result, story=options.stories or bool(result.faults))
                yield result
                if result.faults:
                    break


def run(site: Campaign, seed: int, kinds: Sequence[Fault]) -> Result:
    """Run one seed; an error of the run itself counts as its fault."""
    drawn = draw(seed, list(site.rig.demo_site.nodes), kinds)
    try:
        return site.run(drawn)
    except (ProgramError, OSError, AssertionError) as error:
        broken = f"the run broke: {type(error).__name__}: {error}"
        return Result(drawn, "broken", 0.0, 0, 0, 0, 0, 0, (broken,), ())


def show(strategy: Strategy, result: Result, *, story: bool) -> None:
    """Print one run as a line, and its story if requested."""
    drawn = "; ".join(str(one) for one in result.run.misfortunes)
    report(
        f"{result.run.seed:6} {strategy:<8} {result.phase:<11} {result.seconds:5.1f} s "
        f"{result.requests:5} requests, {result.failed} failed of {result.in_flight} in flight | "
        f"{result.run.build}: {drawn}"
    )
    for fault in result.faults:
        report(f"       FAULT: {fault}")
    for line in result.story if story else ():
        report(f"       {line}")


def summary(results: Sequence[Result]) -> list[str]:
    """Format the totals."""
    restarted = [one for one in results if has(one, Fault.HAPROXY_RESTARTED)]
    others = [one for one in results if not has(one, Fault.HAPROXY_RESTARTED)]
    outcomes = sorted({result.phase for result in results})
    faults = [f"{sum(has(one, fault) for one in results)} {fault}" for fault in Fault]
    faulty = [str(result.run.seed) for result in results if result.faults]
    return [
        "",
        f"{len(results)} runs, {len(faulty)} with faults: {', '.join(faulty) or 'none'}",
        ", ".join(f"{sum(one.phase == name for one in results)} {name}" for name in outcomes),
        ", ".join(faults),
        f"{sum(one.requests for one in others)} requests, {sum(one.failed for one in others)} "
        f"failed, {sum(one.in_flight for one in others)} may have been in flight on killed nodes; "
        f"{sum(one.sessions_lost for one in others)} of {sum(one.sessions for one in others)} "
        "sessions lost",
        f"with HAProxy restarted: {len(restarted)} runs, {sum(one.requests for one in restarted)} "
        f"requests, {sum(one.failed for one in restarted)} failed",
    ]


def has(result: Result, problem: Fault) -> bool:
    """Return whether a run was drawn with this fault."""
    return any(one.fault is problem for one in result.run.misfortunes)


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
