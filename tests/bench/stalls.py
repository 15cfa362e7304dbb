"""Presses while a hop between button and journal stands still: none may fire late.

    ./bigred bench stalls --count 200

Each press meets one stall: the box, the broker or the server is stopped (SIGSTOP), or one direction
of the line of box or server is held back, before the lid, before the press or just after it, for up
to six seconds. A press that fired after the box's answer deadline was late; a press that was
refused as too late within it was fresh. It takes about five seconds a press, and ends by itself.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.support.stalls import Hop, Outcome, drawn, stall_site

MOST = 1000
LONGEST_S = 6.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and return 1 if a press fired late or a fresh one was refused."""
    parser = argparse.ArgumentParser(prog="./bigred bench stalls", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--count", type=int, default=200, help="how many presses (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="which stalls are drawn (default 1)")
    options = parser.parse_args(arguments)
    rng, outcomes = random.Random(options.seed), []
    with (
        tempfile.TemporaryDirectory(prefix="bigred-stalls-") as folder,
        stall_site(Path(folder)) as site,
    ):
        for number in range(1, min(options.count, MOST) + 1):
            outcomes.append(site.press(drawn(rng, LONGEST_S)))
            if outcomes[-1].is_late_and_fired or outcomes[-1].is_fresh_and_refused:
                report(str(outcomes[-1]))
            if number % 10 == 0:
                report(f"{number} of {options.count} presses")
    report(table(outcomes))
    return int(any(one.is_late_and_fired or one.is_fresh_and_refused for one in outcomes))


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(outcomes: Sequence[Outcome]) -> str:
    """Return what came of the presses, by the hop that stood still."""
    lines = [f"{'stood still':<18} presses  armed  fired  late fired  fresh refused"]
    counts: Counter[tuple[str, str]] = Counter()
    for one in outcomes:
        for row in (one.stall.hop.value, "all"):
            counts[row, "presses"] += 1
            counts[row, "armed"] += one.armed
            counts[row, "fired"] += one.fired_s is not None
            counts[row, "late"] += one.is_late_and_fired
            counts[row, "fresh"] += one.is_fresh_and_refused
    for row in (*(hop.value for hop in Hop), "all"):
        of = {name: counts[row, name] for name in ("presses", "armed", "fired", "late", "fresh")}
        lines.append(
            f"{row:<18} {of['presses']:>7}  {of['armed']:>5}  {of['fired']:>5}  {of['late']:>10}"
            f"  {of['fresh']:>13}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
