"""What one full look at the nodes of an app costs, as their number grows.

    ./bigred bench nodes --looks 20
    ./bigred bench nodes --against ../other-checkout

One app with 10, 50 and 200 nodes behind a real HAProxy; the nodes are in a process of their own.
Each look is a full one: HAProxy's rows, each node's WAR, and an answer of each app. The figures are
the milliseconds of a look: by the clock, of the loop (the time in which nothing else could run),
and of the processor with all threads. `--against` looks in turn with this checkout's code and with
another's. `--json FILE` writes every single look.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.crowd import Crowd, crowd
from tests.support.look_cost import Cost

NODES = (10, 50, 200)
MOST_LOOKS = 1000
MOST_LOOP_MS = 60.0
ROUNDS = 4
DEADLINE_S = 120.0
HERE = Path(__file__).parents[2]
PACKAGES = ("server", "agent", "broker")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the figures; return 1 if a look takes longer than it should."""
    options = parse(arguments)
    checkouts = {"": HERE, **({"against": options.against} if options.against else {})}
    found: dict[str, list[Cost]] = {}
    report(f"{options.looks} looks each, in ms {'median':>20} {'fastest':>8} {'slowest':>8}")
    for nodes in NODES:
        with (
            tempfile.TemporaryDirectory(prefix="bigred-nodes-") as folder,
            crowd(Path(folder), 1, nodes) as site,
        ):
            costs: dict[str, list[Cost]] = {name: [] for name in checkouts}
            for _ in range(ROUNDS):
                for name, checkout in checkouts.items():
                    costs[name] += looks(site, checkout, -(-options.looks // ROUNDS))
        for name, values in costs.items():
            title = f"{nodes} nodes {name}".rstrip()
            found[title] = values
            report(figures(f"{title}, loop", [one.loop_ms for one in values]))
            report(figures("  by the clock", [one.wall_ms for one in values]))
            report(figures("  processor", [one.processor_ms for one in values]))
    if options.json:
        shown = {title: [vars(one) for one in values] for title, values in found.items()}
        options.json.write_text(json.dumps(shown, indent=1))
    return verdict(found)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./bigred bench nodes", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--looks", type=int, default=20, help="at each number (default 20)")
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args(arguments)
    options.looks = max(ROUNDS, min(options.looks, MOST_LOOKS))
    return options


def looks(site: Crowd, checkout: Path, count: int) -> list[Cost]:
    """Look with the code of a checkout, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.look_cost", str(site.config), str(count)],
        env={**os.environ, "PYTHONPATH": path_of(checkout)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S + 10 * count,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return [Cost(**json.loads(line)) for line in done.stdout.splitlines()]


def path_of(checkout: Path) -> str:
    """Return where Python finds the code of a checkout, and these tests."""
    return os.pathsep.join([*(str(checkout / package) for package in PACKAGES), str(HERE)])


def verdict(found: Mapping[str, Sequence[Cost]]) -> int:
    """Return 1, and say so, if this checkout falls short with the most nodes."""
    middle_ms = statistics.median(one.loop_ms for one in found[f"{NODES[-1]} nodes"])
    if middle_ms <= MOST_LOOP_MS:
        return 0
    report(
        f"a look at {NODES[-1]} nodes takes the loop {middle_ms:.0f} ms: wanted {MOST_LOOP_MS:.0f}"
    )
    return 1


def figures(name: str, values: Sequence[float]) -> str:
    """Format the distribution of one figure."""
    shown = [statistics.median(values), min(values), max(values)]
    return f"{name:<30}" + "".join(f"{value:9.1f}" for value in shown)


def report(text: str) -> None:
    """Print a line immediately, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
