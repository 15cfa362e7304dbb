"""Every process of a site killed or stopped at random moments, while people push the button.

    ./bigred bench signals --moments 50 --minutes 240

A site with a box, a server, Mosquitto, HAProxy and light Tomcats under load. In each trial somebody
lifts the lid and pushes, and one process gets a signal at a moment drawn by the seed: SIGKILL,
after which it is started again as an init would, or SIGSTOP for 1 to 60 s. A deployment must end
with an outcome that fits its build, all nodes must serve the live release afterwards, no WAR may be
replaced on a node that is in the pool, an accepted emergency stop must stop, and no request may
fail except those in flight in the struck process. A trial takes about a quarter of a minute. `late`
counts presses that were accepted more than two seconds after the push, when the box had said that
nobody answered.

The exit code is 1 if a trial has a fault or a request was lost. The seed repeats a trial:

    ./bigred bench signals --moments 1 --seed 17 --process server --signal SIGSTOP
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.support.stage import Stage, stage
from tests.support.strikes import Blow, Strike, Target, draw
from tests.support.trial import Trial, requests, table
from tests.support.trials import Trials, undisturbed

from bigred_server.demo.load import LoadOptions, shopping
from bigred_server.demo.request_log import RequestSample

MOST_MOMENTS = 1000
# The load ends by itself after a quarter of an hour.
LOAD_S = 600.0


@dataclass
class Results:
    """All trials, and all requests sent meanwhile."""

    trials: list[Trial] = field(default_factory=list)
    samples: list[RequestSample] = field(default_factory=list)

    @property
    def are_good(self) -> bool:
        """Whether nothing went wrong."""
        return not any(one.faults or requests(one, self.samples).lost for one in self.trials)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; print a line for each trial, and the table."""
    options = parse(arguments)
    end_s = time.monotonic() + options.minutes * 60
    nodes = [f"node{number}" for number in range(1, options.nodes + 1)]
    strikes = [
        draw(options.seed + number, target, blow, nodes, options.longest)
        for number in range(min(options.moments, MOST_MOMENTS))
        for target in (options.process or Target)
        for blow in (options.signal or Blow)
    ]
    results = Results()
    while strikes and time.monotonic() < end_s:
        with stage(options.nodes) as made:
            series(made, strikes, options, end_s, results)
    for line in table(results.trials, results.samples):
        report(line)
    if strikes:
        report(f"{len(strikes)} trials were not started in {options.minutes:g} minutes")
    return 0 if results.are_good and not strikes else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench signals", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--moments", type=int, default=50, help="for each process and signal")
    parser.add_argument("--seed", type=int, default=1, help="of the first moment")
    parser.add_argument("--process", action="append", type=Target, choices=list(Target))
    parser.add_argument("--signal", action="append", type=Blow, choices=list(Blow))
    parser.add_argument("--longest", type=float, default=60.0, help="seconds of a SIGSTOP")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--rate", type=float, default=50.0, help="requests per second")
    parser.add_argument("--minutes", type=float, default=240.0, help="start no trial after this")
    return parser.parse_args(arguments)


def series(
    made: Stage,
    strikes: list[Strike],
    options: argparse.Namespace,
    end_s: float,
    results: Results,
) -> None:
    """Run trials on one stage until one has a fault, which calls for a new stage."""
    trials = Trials(made)
    undisturbed(trials)
    report(f"an undisturbed deployment takes {trials.cycle_s:.1f} s from the lid to its end")
    site, good, part = made.rig.demo_site, True, 0
    load_options = LoadOptions(options.rate, slowest_ms=1500)
    while strikes and good and time.monotonic() < end_s:
        part += 1
        begun, until_s = len(results.trials), min(end_s, time.monotonic() + LOAD_S)
        with shopping(site.folder, site.urls, load_options, f"load{part}") as load:
            while strikes and good and time.monotonic() < until_s:
                results.trials.append(trials.run(strikes.pop(0)))
                good = not results.trials[-1].faults
        samples = load.seen()
        results.samples += samples
        for trial in results.trials[begun:]:
            for line in lines(trial, samples):
                report(line)


def lines(trial: Trial, samples: Sequence[RequestSample]) -> Iterator[str]:
    """Format one trial."""
    counted = requests(trial, samples)
    yield (
        f"{trial.strike.seed:4} {trial.strike}: {trial.outcome} ({trial.strike.build}"
        f"{', stopped' if trial.strike.stops else ''}), {counted.sent} requests, {counted.failed} "
        f"failed, {counted.unavoidable} in flight, gap {counted.gap_s:.2f} s"
    )
    for push in trial.pushes:
        yield f"       push: {push}"
    if trial.outcome != "succeeded" and trial.reason:
        yield f"       {trial.reason}"
    for fault in trial.faults:
        yield f"       FAULT: {fault}"
    if counted.lost:
        lost = [one for one in samples if not one.ok and trial.begun_s <= one.start_s]
        yield from (
            f"       LOST: {one.start_s - trial.struck_s:+.2f} s {one.kind} {one.outcome}"
            for one in lost[:5]
        )
    yield from (f"         {line}" for line in (trial.story if trial.faults else ()))


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
